package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// result is what became of a request.
type result uint8

const (
	acknowledged result = iota
	refused             // can never be stored
	unanswered          // to be sent again
	unsplittable        // refused, whatever its lines
)

// outcome is the service's answer to a batch.
type outcome struct {
	result  result
	stored  int // stored or known before
	known   int // known before
	err     error
	waitFor time.Duration // what Retry-After asks for
	header  string        // the counters that went with it
}

// poster sends batches to one service.
type poster struct {
	config   Config
	endpoint *url.URL
	counters *counters
	client   *http.Client
}

func newPoster(c Config, endpoint *url.URL, k *counters) *poster {
	dialer := &net.Dialer{Timeout: c.RequestTimeout, KeepAlive: 30 * time.Second}
	return &poster{
		config: c, endpoint: endpoint, counters: k,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         dialer.DialContext,
				ForceAttemptHTTP2:   true,
				MaxIdleConnsPerHost: 1,
				IdleConnTimeout:     90 * time.Second,
				TLSHandshakeTimeout: c.RequestTimeout,
			},
			// A redirect would turn the batch into a GET.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// compresses says whether bodies go compressed.
func (p *poster) compresses() bool { return p.config.compresses(p.endpoint.Hostname()) }

// post sends one batch and waits for the answer, at most for the time that a request may take.
func (p *poster) post(ctx context.Context, b *batch, counters string) outcome {
	begin := time.Now()
	o := p.attempt(ctx, b, counters)
	o.header = counters
	sendSeconds.Observe(time.Since(begin).Seconds())
	countBatch(o)
	return o
}

func (p *poster) attempt(ctx context.Context, b *batch, counters string) outcome {
	ctx, cancel := context.WithTimeout(ctx, p.config.RequestTimeout)
	defer cancel()
	target := *p.endpoint
	target.RawQuery = url.Values{"sensor": {b.sensor}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(b.body))
	if err != nil {
		return outcome{result: unanswered, err: err}
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("User-Agent", "mlplugin")
	if b.gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	if counters != "" {
		request.Header.Set("Mlplugin-Counters", counters)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return outcome{result: unanswered, err: plainError(err)}
	}
	defer response.Body.Close()
	// An answer read to its end lets the connection be used again.
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return read(response, body, err)
}

// plainError leaves out the address, which may hold a password and which the log line names anyway.
func plainError(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() {
			return errors.New("no answer in time")
		}
		return wrapped.Err
	}
	return err
}

// read makes an outcome of the answer.
func read(response *http.Response, body []byte, err error) outcome {
	status := fmt.Errorf("it answered %s", response.Status)
	switch response.StatusCode {
	case http.StatusOK:
		var answer struct{ Stored, Known *int }
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		if err == nil && (answer.Stored == nil || answer.Known == nil || *answer.Stored < 0 || *answer.Known < 0) {
			err = errors.New("not what this service answers")
		}
		if err != nil {
			return outcome{result: unanswered, err: fmt.Errorf("its answer cannot be read: %w", err)}
		}
		err = errors.New("it answered that it has fewer than were sent") // only told where true
		return outcome{result: acknowledged, stored: *answer.Stored + *answer.Known, known: *answer.Known, err: err}
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return outcome{result: refused, err: status}
	case http.StatusUnsupportedMediaType:
		return outcome{result: unsplittable, err: status}
	}
	return outcome{result: unanswered, err: status, waitFor: retryAfter(response.Header.Get("Retry-After"), time.Now())}
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
