package events

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

// reason says why an event was dropped.
type reason uint8

const (
	queueFull reason = iota
	spoolFull
	spoolError
	rejected
	shutdown
	reasonCount
)

// String gives the value of the label of coredns_mlplugin_events_dropped_total.
func (r reason) String() string {
	return [...]string{"queue_full", "spool_full", "spool_error", "rejected", "shutdown"}[r]
}

// counters is where every event of a sender can be found again.
type counters struct {
	started   uint64        // the first sequence
	fresh     string        // the header before anything was counted
	next      atomic.Uint64 // the next sequence
	recovered atomic.Uint64
	sent      atomic.Uint64
	dropped   [reasonCount]atomic.Uint64
	inHand    atomic.Int64 // in a batch that is only in memory
}

// Totals are a sender's counts of events. At rest
// Recorded + Recovered = Sent + the sum of Dropped + Pending.
type Totals struct {
	// Recorded is how many were given to Record.
	Recorded uint64
	// Recovered is how many an earlier process left in the spool.
	Recovered uint64
	// Sent is how many the service has acknowledged.
	Sent uint64
	// Dropped is how many were given up, by reason.
	Dropped map[string]uint64
	// Pending is how many wait in memory or in the spool.
	Pending uint64
	// SpoolBytes is the size of the spool.
	SpoolBytes uint64
	// SpoolDamaged is how many stretches of the spool could not be read.
	SpoolDamaged uint64
}

// newCounters starts a sequence at the wall clock in microseconds, above every number
// that this process or the spool has used, also when the clock was set back.
func newCounters(used uint64) *counters {
	c := &counters{}
	start := max(uint64(time.Now().UnixMicro()), used+1, highest.Load()+1)
	c.started = start
	c.next.Store(start)
	c.fresh = c.header()
	raise(start)
	return c
}

// highest is at least every sequence that closed senders of this process have given.
var highest atomic.Uint64

func raise(sequence uint64) {
	for seen := highest.Load(); sequence > seen && !highest.CompareAndSwap(seen, sequence); {
		seen = highest.Load()
	}
}

// served is how many sequences were given.
func (c *counters) served() uint64 { return c.next.Load() - c.started }

// header gives the value of Mlplugin-Counters.
func (c *counters) header() string {
	b := append([]byte(`{"started": `), strconv.FormatUint(c.started, 10)...)
	b = append(b, `, "served": `...)
	b = strconv.AppendUint(b, c.served(), 10)
	b = append(b, `, "dropped": {`...)
	for r := range reasonCount {
		if r > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, '"'), r.String()...), `": `...)
		b = strconv.AppendUint(b, c.dropped[r].Load(), 10)
	}
	return string(append(b, "}}"...))
}

// report is a value of Mlplugin-Counters that the service has not seen.
type report struct {
	Sensor   string          `json:"sensor"`
	Counters json.RawMessage `json:"counters"`
}

const reportsFile = "counters.json"

// loadReports reads the last counters of earlier processes; they are extra, so that
// a file that cannot be read is no error.
func loadReports(dir string) []report {
	data, err := os.ReadFile(filepath.Join(dir, reportsFile))
	if err != nil {
		return nil
	}
	var reports []report
	if err := json.Unmarshal(data, &reports); err != nil {
		log.Warningf("spool file %s is damaged and not used: %v", filepath.Join(dir, reportsFile), err)
		return nil
	}
	return reports
}

// maxReports bounds the file where a service never comes back.
const maxReports = 100

// storeReports replaces the file, or removes it where there is nothing to keep.
func storeReports(dir string, reports []report) error {
	path := filepath.Join(dir, reportsFile)
	if len(reports) == 0 {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	data, err := json.Marshal(reports[max(0, len(reports)-maxReports):])
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("keep the counters: %w", err)
	}
	return os.Rename(path+".new", path)
}
