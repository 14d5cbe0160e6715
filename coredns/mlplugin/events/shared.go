package events

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
)

// key is what a service tells senders apart by.
type key struct{ url, sensor string }

type sharedSender struct {
	sender *Sender
	users  int
}

var (
	sharedMu sync.Mutex
	shared   = map[key]*sharedSender{}
)

// Shared gives the process's one sender to this service under this sensor's name,
// started; it is made on first use. Several server blocks, and the old and the new
// instance during a reload, so keep one queue and one sequence. Each user calls release
// once it records no more; the last release closes the sender, bounded by its context,
// and gives what Close gives. Call Shared where a failed start is undone, such as OnStartup.
//
// The configuration of the first user stands while the sender lives; another one is
// named in the log.
func Shared(config Config) (s *Sender, release func(context.Context) error, err error) {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	k := key{config.URL, config.Sensor}
	entry := shared[k]
	if entry == nil {
		if other := holderOf(config.Spool); other != nil {
			return nil, nil, fmt.Errorf("spool folder %s is in use by this CoreDNS for sensor %q: "+
				"to change service or sensor and keep the folder, restart CoreDNS; two sensors need a folder each",
				config.Spool, other.config.Sensor)
		}
		sender, err := New(config)
		if err != nil {
			return nil, nil, err
		}
		sender.Start()
		entry = &sharedSender{sender: sender}
		shared[k] = entry
	} else if entry.sender.config != config.withDefaults() {
		log.Warningf("events to %s: changed settings take effect after a restart", entry.sender.poster.endpoint.Redacted())
	}
	entry.users++
	var once sync.Once
	return entry.sender, func(ctx context.Context) (err error) {
		once.Do(func() { err = entry.release(ctx, k) })
		return err
	}, nil
}

// holderOf gives the shared sender that has the folder, nil for none.
func holderOf(folder string) *Sender {
	for _, entry := range shared {
		if folder != "" && filepath.Clean(entry.sender.config.Spool) == filepath.Clean(folder) {
			return entry.sender
		}
	}
	return nil
}

// CloseShared closes every shared sender, whoever uses it still, and gives what Close
// gives. It is for the end of the process.
func CloseShared(ctx context.Context) error {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	var failed []error
	for k, entry := range shared {
		delete(shared, k)
		failed = append(failed, entry.sender.Close(ctx))
	}
	return errors.Join(failed...)
}

// release closes the sender with its last user. The lock is held meanwhile, so that a
// successor finds the spool folder free.
func (e *sharedSender) release(ctx context.Context, k key) error {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	e.users--
	if e.users > 0 {
		return nil
	}
	if shared[k] == e {
		delete(shared, k)
	}
	return e.sender.Close(ctx)
}
