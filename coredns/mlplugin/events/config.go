package events

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// Compression says whether batches are sent with Content-Encoding: gzip.
type Compression uint8

// The choices of compression.
const (
	// CompressRemote compresses unless the service is on a loopback address.
	CompressRemote Compression = iota
	// CompressNever sends plain NDJSON.
	CompressNever
	// CompressAlways compresses every batch.
	CompressAlways
)

// Config says where events go. Only URL and Sensor are required; every other zero
// value stands for its default.
type Config struct {
	// URL is the service's base, such as http://127.0.0.1:5000.
	URL string
	// Sensor is the name of this instance in the history, at most 255 bytes.
	Sensor string
	// Spool is the folder that bridges outages; empty for none. Two senders never share one.
	Spool string
	// SpoolBytes bounds the spool, default 1 GiB.
	SpoolBytes int64
	// QueueEvents bounds the queue in memory, default 65,536 events.
	QueueEvents int
	// QueueBytes bounds the queue in memory, default 64 MiB.
	QueueBytes int64
	// BatchEvents is the most events in a batch, default 10,000.
	BatchEvents int
	// BatchBytes is the size from which a batch takes no more events, default 4 MiB before
	// compression and at most a quarter of the spool; a batch passes it by one event at most.
	BatchBytes int
	// BatchInterval is the longest that an event waits for its batch to fill, default 500 ms: a
	// batch costs the service as much as two thousand events.
	BatchInterval time.Duration
	// FlaggedInterval is the same where one of few events is flagged, which somebody may be
	// waiting for; default 200 ms, at most BatchInterval.
	FlaggedInterval time.Duration
	// RequestTimeout bounds one request, answer included, default 10 s.
	RequestTimeout time.Duration
	// RetryMin and RetryMax bound the pause after a failure, which doubles from one to the
	// other; defaults 200 ms and 5 s. A Retry-After of the service is respected up to a minute.
	RetryMin, RetryMax time.Duration
	// Compression defaults to CompressRemote.
	Compression Compression
}

// maxRetryAfter bounds what a service may ask for in Retry-After.
const maxRetryAfter = time.Minute

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	setDefault(&c.SpoolBytes, 1<<30)
	setDefault(&c.QueueEvents, 65_536)
	setDefault(&c.QueueBytes, 64<<20)
	setDefault(&c.BatchEvents, 10_000)
	setDefault(&c.BatchBytes, 4<<20)
	setDefault(&c.BatchInterval, 500*time.Millisecond)
	setDefault(&c.FlaggedInterval, 200*time.Millisecond)
	c.FlaggedInterval = min(c.FlaggedInterval, c.BatchInterval)
	setDefault(&c.RequestTimeout, 10*time.Second)
	setDefault(&c.RetryMin, 200*time.Millisecond)
	setDefault(&c.RetryMax, max(5*time.Second, c.RetryMin))
	c.BatchEvents = min(c.BatchEvents, c.QueueEvents)
	if c.Spool != "" { // a batch that does not fit is lost whole
		c.BatchBytes = int(min(int64(c.BatchBytes), max(c.SpoolBytes/4, 1)))
	}
	return c
}

func setDefault[T int | int64 | time.Duration](value *T, standard T) {
	if *value <= 0 {
		*value = standard
	}
}

// endpoint gives the address that events are posted to, for a sensor still to be set.
func (c Config) endpoint() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	if err != nil { // the text may hold a password, and so may the parser's words about it
		return nil, errors.New("the service URL cannot be read: write it like http://127.0.0.1:5000")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		shown := ""
		if u.Host != "" { // all else may be a secret
			shown = fmt.Sprintf(" %q", u.Scheme+"://"+u.Host)
		}
		return nil, fmt.Errorf("the service URL%s is no base address: write it like http://127.0.0.1:5000", shown)
	}
	if c.Sensor == "" || len(c.Sensor) > 255 {
		return nil, errors.New("the sensor's name must have 1 to 255 bytes")
	}
	return u.JoinPath("/api/v1/events"), nil
}

// compresses says whether bodies to this host are compressed.
func (c Config) compresses(host string) bool {
	switch c.Compression {
	case CompressNever:
		return false
	case CompressAlways:
		return true
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	address, err := netip.ParseAddr(host)
	return err != nil || !address.IsLoopback()
}

// shardCount gives a power of two near the number of processors, so that queries on
// different ones seldom meet at a lock, yet no shard is smaller than 64 events.
func (c Config) shardCount() int {
	n := 1
	for n < runtime.GOMAXPROCS(0) && n < 16 && c.QueueEvents/(2*n) >= 64 {
		n *= 2
	}
	return n
}
