// Package remote asks the service: for verdicts, where the plugin does not judge itself,
// and for the policy. Neither ever stands in the way of an answer.
package remote

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

var log = clog.NewWithPlugin("mlplugin")

const (
	// DefaultTimeout stands for a timeout that is not above zero.
	DefaultTimeout = 100 * time.Millisecond
	// maxNames bounds one request; the protocol allows 10,000.
	maxNames = 1_000
	// maxWaiting bounds the names that wait for a request.
	maxWaiting = 10_000
	// maxRequests is how many requests are under way at most.
	maxRequests = 4
	// gather is how long a name waits for company while a request is under way.
	gather = 500 * time.Microsecond
)

// Classifier asks the service for verdicts.
type Classifier struct {
	timeout time.Duration
	client  *client
	breaker breaker
	ctx     context.Context
	cancel  context.CancelFunc
	wake    chan struct{}
	slots   chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	calls   map[string]*call // by name, waiting or under way
	waiting []*call
}

// call is a name that one or more queries wait for. The fields below done are guarded by
// the classifier's lock.
type call struct {
	name     string
	deadline time.Time
	done     chan struct{}

	answered bool
	failure  string // why there is no verdict
	verdict  verdict.Verdict
	reasons  []verdict.Reason
}

// NewClassifier makes a classifier that asks the service at url, its base address. No
// query waits longer than timeout. With a url that cannot be used every verdict is missing,
// and counted; CheckURL tells beforehand.
func NewClassifier(url string, timeout time.Duration) *Classifier {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	c := &Classifier{
		timeout: timeout,
		client:  newClient(url, "/api/v1/classify", maxRequests),
		breaker: breaker{limit: 5, shortest: time.Second, longest: 30 * time.Second, patience: 2*timeout + time.Second},
		wake:    make(chan struct{}, 1),
		slots:   make(chan struct{}, maxRequests),
		calls:   map[string]*call{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.running.Go(c.run)
	return c
}

// Classify gives the service's verdict on the canonical name, with reasons where it is
// flagged. It gives false, so that the query goes on, where the service has not answered
// within the timeout or before ctx ended, has failed, or has failed so often that it is
// not asked for a while. Queries for one name share one question.
func (c *Classifier) Classify(ctx context.Context, qname string) (verdict.Verdict, []verdict.Reason, bool) {
	asked, failure := c.ask(qname, time.Now())
	if failure != "" {
		namesTotal.WithLabelValues(failure).Inc()
		return verdict.Verdict{}, nil, false
	}
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-asked.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	result := "ok"
	switch {
	case asked.failure != "":
		result = asked.failure
	case !asked.answered:
		result = "timeout"
	}
	namesTotal.WithLabelValues(result).Inc()
	return asked.verdict, asked.reasons, result == "ok"
}

// Close ends all requests; queries that wait go on without a verdict.
func (c *Classifier) Close() {
	c.cancel()
	c.running.Wait()
	c.mu.Lock()
	left := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	c.finish(left, "error")
	c.client.close()
}

// ask joins the question for the name or asks a new one; failure says why it could not.
func (c *Classifier) ask(qname string, now time.Time) (asked *call, failure string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if asked = c.calls[qname]; asked != nil {
		return asked, ""
	}
	switch {
	case c.ctx.Err() != nil:
		return nil, "error"
	case len(c.waiting) >= maxWaiting:
		return nil, "overflow"
	case !c.breaker.allow(now):
		return nil, "open"
	}
	asked = &call{name: qname, deadline: now.Add(c.timeout), done: make(chan struct{})}
	c.calls[qname] = asked
	c.waiting = append(c.waiting, asked)
	c.notify()
	return asked, ""
}

func (c *Classifier) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run sends the waiting names: at once where no request is under way, else after a
// moment in which more may come.
func (c *Classifier) run() {
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
		if len(c.slots) > 0 {
			time.Sleep(gather)
		}
		select {
		case c.slots <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		calls := c.take(time.Now())
		if len(calls) == 0 {
			<-c.slots
			continue
		}
		c.running.Go(func() {
			defer func() { <-c.slots }()
			c.send(calls)
		})
	}
}

// take gives the names of the next request and ends those nobody waits for any more.
func (c *Classifier) take(now time.Time) []*call {
	c.mu.Lock()
	n := min(len(c.waiting), maxNames)
	calls := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	if len(c.waiting) > 0 {
		c.notify()
	}
	c.mu.Unlock()
	late := func(asked *call) bool { return !now.Before(asked.deadline) }
	var lost []*call
	for _, asked := range calls {
		if late(asked) {
			lost = append(lost, asked)
		}
	}
	c.finish(lost, "timeout")
	return slices.DeleteFunc(calls, late)
}

// send asks for the names, then for the reasons of those that are flagged.
func (c *Classifier) send(calls []*call) {
	answers, err := c.request(calls, false)
	if err != nil {
		why := "error"
		if errors.Is(err, context.DeadlineExceeded) {
			why = "timeout"
		}
		if c.breaker.fail(time.Now()) && c.ctx.Err() == nil {
			log.Warningf("the service at %s is not asked for verdicts for a while: %v", c.client.name, err)
		}
		c.finish(calls, why)
		return
	}
	if c.breaker.succeed() {
		log.Infof("the service at %s gives verdicts again", c.client.name)
	}
	var flagged, settled, odd []*call
	c.mu.Lock()
	for i, asked := range calls {
		v, err := answers[i].read(asked.name)
		switch {
		case err != nil:
			odd = append(odd, asked)
		case v.Level == verdict.Benign:
			asked.verdict, asked.answered = v, true
			settled = append(settled, asked)
		default: // from here on a query that cannot wait goes without reasons
			asked.verdict, asked.answered = v, true
			flagged = append(flagged, asked)
		}
	}
	c.mu.Unlock()
	c.finish(odd, "error")
	c.finish(settled, "")
	c.explain(flagged)
}

// explain fills in the reasons, without which the verdicts stand as well.
func (c *Classifier) explain(flagged []*call) {
	defer c.finish(flagged, "")
	if len(flagged) == 0 {
		return
	}
	answers, err := c.request(flagged, true)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, asked := range flagged {
		if _, err := answers[i].read(asked.name); err == nil {
			asked.reasons = answers[i].Reasons
		}
	}
}

// request asks for the names until the last of their deadlines.
func (c *Classifier) request(calls []*call, explain bool) ([]answer, error) {
	latest := calls[0].deadline
	names := make([]string, len(calls))
	for i, asked := range calls {
		names[i] = asked.name
		if asked.deadline.After(latest) {
			latest = asked.deadline
		}
	}
	ctx, cancel := context.WithDeadline(c.ctx, latest)
	defer cancel()
	begin := time.Now()
	answers, err := c.client.classify(ctx, names, explain)
	requestSeconds.Observe(time.Since(begin).Seconds())
	switch {
	case err == nil:
		requestsTotal.WithLabelValues("ok").Inc()
	case errors.Is(err, context.DeadlineExceeded):
		requestsTotal.WithLabelValues("timeout").Inc()
	default:
		requestsTotal.WithLabelValues("error").Inc()
	}
	return answers, err
}

// finish lets the queries go that wait for the calls.
func (c *Classifier) finish(calls []*call, failure string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, asked := range calls {
		asked.failure = failure
		delete(c.calls, asked.name)
		close(asked.done)
	}
}

// CheckURL says in one line what is wrong with the base address of a service.
func CheckURL(url string) error {
	_, err := endpoint(url, "/")
	return err
}

// statusError is an answer other than the one asked for.
type statusError struct{ response *http.Response }

func (e statusError) Error() string { return "it answered " + e.response.Status }
