package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// client talks to one address of the service.
type client struct {
	url  string
	name string // the base address without a password, for messages
	err  error  // what is wrong with the address
	http *http.Client
}

func newClient(base, path string, connections int) *client {
	c := &client{http: &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: connections,
			IdleConnTimeout:     90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	target, err := endpoint(base, path)
	if err != nil {
		c.err = err
		return c
	}
	c.url = target.String()
	c.name = target.Scheme + "://" + target.Host
	return c
}

// endpoint gives the address of a route of the service.
func endpoint(base, path string) (*url.URL, error) {
	u, err := url.Parse(base)
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
	return u.JoinPath(path), nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends the request and reads the answer, which may not be longer than limit bytes.
func (c *client) do(request *http.Request, limit int64) (*http.Response, []byte, error) {
	request.Header.Set("User-Agent", "mlplugin")
	response, err := c.http.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // leaves out the address, which may hold a password
			err = wrapped.Err
		}
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = errors.New("its answer is too long")
	}
	return response, body, err
}

// answer is one verdict as the service writes it.
type answer struct {
	QName   string           `json:"qname"`
	Verdict string           `json:"verdict"`
	Threat  string           `json:"threat"`
	Score   float64          `json:"score"`
	Source  string           `json:"source"`
	Reasons []verdict.Reason `json:"reasons"`
	Error   string           `json:"error"`
}

// classify asks for the verdicts on the names; it gives one answer a name, in order.
func (c *client) classify(ctx context.Context, names []string, explain bool) ([]answer, error) {
	if c.err != nil {
		return nil, c.err
	}
	body, err := json.Marshal(struct {
		Names   []string `json:"names"`
		Explain bool     `json:"explain"`
	}{names, explain})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	// A verdict with nine reasons takes about 1 KiB, and a name at most 1 KiB escaped.
	response, data, err := c.do(request, 64<<10+int64(len(names))*8<<10)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError{response}
	}
	var got struct {
		Verdicts []answer `json:"verdicts"`
	}
	if err := json.Unmarshal(data, &got); err != nil {
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	}
	if len(got.Verdicts) != len(names) {
		return nil, fmt.Errorf("it answered %d verdicts for %d names", len(got.Verdicts), len(names))
	}
	return got.Verdicts, nil
}

var (
	levels  = named(verdict.Benign, verdict.Malicious)
	threats = named(verdict.NoThreat, verdict.Threat(verdict.ThreatCount))
	sources = named(verdict.Override, verdict.Behaviour)
)

// named maps the names of the values from first to last to the values.
func named[T interface {
	~uint8
	String() string
}](first, last T) map[string]T {
	values := map[string]T{}
	for value := first; value <= last; value++ {
		values[value.String()] = value
	}
	return values
}

// read makes a verdict of the answer for the name.
func (a *answer) read(name string) (verdict.Verdict, error) {
	level, knownLevel := levels[a.Verdict]
	threat, knownThreat := threats[a.Threat]
	source, knownSource := sources[a.Source]
	switch {
	case a.Error != "":
		return verdict.Verdict{}, errors.New(a.Error)
	case a.QName != name:
		return verdict.Verdict{}, fmt.Errorf("an answer about %q", a.QName)
	case !knownLevel || !knownThreat || !knownSource:
		return verdict.Verdict{}, fmt.Errorf("an unknown verdict %q, %q, %q", a.Verdict, a.Threat, a.Source)
	case a.Score < 0 || a.Score > 60:
		return verdict.Verdict{}, fmt.Errorf("a score of %g", a.Score)
	}
	return verdict.Verdict{Level: level, Threat: threat, Source: source, Score: a.Score}, nil
}
