package remote

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	// maxSnapshot bounds a policy.
	maxSnapshot = 64 << 20
	// pollTimeout bounds one request for the policy.
	pollTimeout = 10 * time.Second
	// maxRetryAfter bounds what a service may ask for in Retry-After.
	maxRetryAfter = 5 * time.Minute
)

// PolicyPoller keeps the plugin's policy equal to the service's.
type PolicyPoller struct {
	every   time.Duration
	keepAt  string
	apply   func(snapshot []byte) error
	client  *client
	timeout time.Duration
	ctx     context.Context
	cancel  context.CancelFunc
	started sync.Once
	running sync.WaitGroup

	etag    string
	applied [sha256.Size]byte // of the snapshot in force
	last    string            // what was last logged, so that an outage is one line
}

// NewPolicyPoller makes a poller of the service at url, its base address, that asks every
// so often, 2 s where every is not above zero. Each new snapshot is given to apply, from
// one goroutine at a time; one that apply refuses changes nothing. The last one that it
// took is kept in the file keepAt, unless that is empty, and applied at start, so that
// the policy holds when CoreDNS starts before the service.
func NewPolicyPoller(url string, every time.Duration, keepAt string, apply func(snapshot []byte) error) *PolicyPoller {
	if every <= 0 {
		every = 2 * time.Second
	}
	p := &PolicyPoller{
		every: every, keepAt: keepAt, apply: apply, timeout: pollTimeout,
		client: newClient(url, "/api/v1/policy", 1),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Start applies the kept snapshot before it returns, then begins to poll.
func (p *PolicyPoller) Start() {
	p.started.Do(func() {
		p.restore()
		p.running.Go(p.run)
	})
}

// Close ends polling; apply is not called any more once it returns.
func (p *PolicyPoller) Close() {
	p.cancel()
	p.running.Wait()
	p.client.close()
}

// restore applies what an earlier process kept.
func (p *PolicyPoller) restore() {
	if p.keepAt == "" {
		return
	}
	snapshot, err := os.ReadFile(p.keepAt)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		_, err = p.put(snapshot)
	}
	if err != nil {
		log.Errorf("the policy kept in %s is not used, the service is asked: %v", p.keepAt, err)
	}
}

func (p *PolicyPoller) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(p.poll())
	}
}

// poll asks once and gives the time to the next question.
func (p *PolicyPoller) poll() time.Duration {
	result, wait, err := p.fetch()
	if p.ctx.Err() != nil {
		return 0
	}
	pollsTotal.WithLabelValues(result).Inc()
	if err == nil {
		policySeconds.SetToCurrentTime()
		if p.last != "" {
			log.Infof("the policy of the service at %s is updated again", p.client.name)
		}
		p.last = ""
	} else if text := err.Error(); text != p.last {
		p.last = text
		log.Warningf("the policy of the service at %s is not updated, the last one stays: %v", p.client.name, err)
	}
	// Spread, so that many sensors do not ask in the same instant.
	return max(wait, p.every*9/10+rand.N(p.every/5+1))
}

// fetch asks for the policy and applies it where it is new.
func (p *PolicyPoller) fetch() (result string, wait time.Duration, err error) {
	if p.client.err != nil {
		return "failed", 0, p.client.err
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.client.url, nil)
	if err != nil {
		return "failed", 0, err
	}
	if p.etag != "" {
		request.Header.Set("If-None-Match", p.etag)
	}
	response, snapshot, err := p.client.do(request, maxSnapshot)
	switch {
	case err != nil:
		return "failed", 0, err
	case response.StatusCode == http.StatusNotModified && p.etag != "":
		return "unchanged", 0, nil
	case response.StatusCode != http.StatusOK:
		return "failed", retryAfter(response.Header.Get("Retry-After"), time.Now()), statusError{response}
	}
	changed, err := p.put(snapshot)
	if err != nil {
		return "refused", 0, err
	}
	p.etag = response.Header.Get("ETag")
	if !changed {
		return "unchanged", 0, nil
	}
	p.keep(snapshot)
	return "changed", 0, nil
}

// put applies the snapshot unless it is in force already: a service without ETags must
// not make the plugin start afresh every few seconds.
func (p *PolicyPoller) put(snapshot []byte) (changed bool, err error) {
	sum := sha256.Sum256(snapshot)
	if sum == p.applied {
		return false, nil
	}
	if err := p.apply(snapshot); err != nil {
		return false, err
	}
	p.applied = sum
	return true, nil
}

// keep writes the snapshot for the next start. The policy is in force without it.
func (p *PolicyPoller) keep(snapshot []byte) {
	if p.keepAt == "" {
		return
	}
	if err := replaceFile(p.keepAt, snapshot); err != nil {
		log.Errorf("the policy cannot be kept for the next start: %v", err)
	}
}

// replaceFile writes a file that is whole at any instant, also after a power cut.
func replaceFile(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // not every file system can
		_ = dir.Close()
	}
	return nil
}

// retryAfter reads seconds or an HTTP date; zero where there is none.
func retryAfter(value string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
