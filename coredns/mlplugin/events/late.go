package events

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"
)

// lateTimeout bounds a last request, which must not outlast the process's own end.
const lateTimeout = time.Second

// late tells of events that came after the last word to the service: servers still answer
// between the sender's end and the process's.
type late struct {
	mu   sync.Mutex
	told string // the counters that the service has, or will get from the spool folder
}

// tellLate brings the counters of a closed sender up to date, once and not until they rest:
// under traffic they never do. Whoever counted an event calls it afterwards, and returns when the
// event is told of, by itself or by another. It begins nothing once ctx has ended.
func (s *Sender) tellLate(ctx context.Context) {
	s.late.mu.Lock()
	defer s.late.mu.Unlock()
	now := s.counters.header()
	if ctx.Err() != nil || now == s.late.told {
		return
	}
	kept := s.keepLate(now)
	sent := s.postLate(ctx, now)
	if !kept && !sent {
		log.Warningf("the last counters could be neither sent to %s nor kept", s.poster.endpoint.Redacted())
	}
	s.late.told = now
}

// postLate sends the counters on a batch of none.
func (s *Sender) postLate(ctx context.Context, counters string) bool {
	ctx, cancel := context.WithTimeout(ctx, lateTimeout)
	defer cancel()
	defer s.poster.close()
	return s.poster.post(ctx, &batch{sensor: s.config.Sensor}, counters).result == acknowledged
}

// keepLate puts the counters into the spool folder in place of earlier ones of this sender,
// unless a successor has taken it.
func (s *Sender) keepLate(counters string) bool {
	if s.spool == nil {
		return false
	}
	if _, err := os.Stat(s.config.Spool); err != nil {
		return false
	}
	lock, err := lockDir(s.config.Spool)
	if err != nil {
		return false
	}
	defer lock.Close()
	reports := loadReports(s.config.Spool)
	own := report{Sensor: s.config.Sensor, Counters: json.RawMessage(counters)}
	for i, r := range reports {
		var start struct{ Started uint64 }
		if json.Unmarshal(r.Counters, &start) == nil && r.Sensor == own.Sensor && start.Started == s.counters.started {
			reports[i] = own
			return storeReports(s.config.Spool, reports) == nil
		}
	}
	return storeReports(s.config.Spool, append(reports, own)) == nil
}
