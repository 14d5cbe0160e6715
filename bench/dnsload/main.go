// Command dnsload sends queries to a DNS server over UDP and reports, as one JSON object, what
// was answered and how long it took. At a fixed rate, latency counts from when a query was
// due, not from when it was sent, so that a stalled sender hides nothing (coordinated
// omission). With -outstanding it is as fast as the server: so many queries are on the way at any
// time.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// report is what is printed; times are in microseconds.
type report struct {
	Sent      int            `json:"sent"`
	Answered  int            `json:"answered"`
	Lost      int            `json:"lost"`
	Rcodes    map[string]int `json:"rcodes"`
	Rate      float64        `json:"rate"`
	P50       float64        `json:"p50"`
	P99       float64        `json:"p99"`
	P999      float64        `json:"p999"`
	Max       float64        `json:"max"`
	PerSecond []float64      `json:"p99_per_second"`
}

const identifiers = 1 << 16

// client is one socket; an identifier is free again once it is answered or timed out.
type client struct {
	conn net.Conn
	due  [identifiers]atomic.Int64 // when the query was due, in nanoseconds since start; 0: none

	latencies []time.Duration
	moments   []time.Duration
	rcodes    map[int]int
}

func main() {
	server := flag.String("server", "127.0.0.1:1053", "the DNS server")
	rate := flag.Float64("rate", 5000, "queries a second")
	outstanding := flag.Int("outstanding", 0, "queries on the way at any time, in place of a rate")
	length := flag.Duration("for", 10*time.Second, "how long")
	names := flag.String("names", "-", "file of names, one a line, each with a type if not A; repeated as needed")
	sockets := flag.Int("sockets", 8, "client sockets")
	wait := flag.Duration("wait", 5*time.Second, "how long to wait for the last answers")
	flag.Parse()
	queries, err := read(*names)
	if err != nil {
		log.Fatal(err)
	}
	source := &source{queries: queries}
	var out *report
	if *outstanding > 0 {
		out, err = flood(*server, source, *outstanding, *length, *sockets)
	} else {
		out, err = load(*server, source, *rate, *length, *sockets, *wait)
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}

func read(path string) ([][]byte, error) {
	var source io.Reader = os.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		source = file
	}
	var queries [][]byte
	lines := bufio.NewScanner(source)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		qtype := dns.TypeA
		if len(fields) > 1 {
			qtype = dns.StringToType[fields[1]]
		}
		wire, err := new(dns.Msg).SetQuestion(dns.Fqdn(fields[0]), qtype).Pack()
		if err != nil {
			continue
		}
		queries = append(queries, wire)
	}
	if len(queries) == 0 {
		return nil, errors.New("no names to ask for")
	}
	return queries, lines.Err()
}

// source gives one query after the other, to any number of clients.
type source struct {
	queries [][]byte
	given   atomic.Int64
}

func (s *source) next() []byte {
	return s.queries[int(s.given.Add(1)-1)%len(s.queries)]
}

func dial(server string, sockets int) ([]*client, error) {
	clients := make([]*client, sockets)
	for i := range clients {
		conn, err := net.Dial("udp", server)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", server, err)
		}
		clients[i] = &client{conn: conn, rcodes: map[int]int{}}
	}
	return clients, nil
}

// patience is how long flood waits for an answer before it takes all that are missing for lost.
const patience = time.Second

// flood keeps the queries that are on the way at a number.
func flood(server string, source *source, outstanding int, length time.Duration, sockets int) (*report, error) {
	start := time.Now()
	sockets = min(sockets, outstanding)
	clients, err := dial(server, sockets)
	if err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	for i, c := range clients {
		window := (outstanding + i) / sockets
		running.Go(func() { c.flood(source, window, start, length) })
	}
	running.Wait()
	out := summarise(clients, int(source.given.Load()), time.Since(start))
	out.Rate = float64(out.Answered) / length.Seconds()
	return out, nil
}

// flood sends a window of queries, then one for each that is answered.
func (c *client) flood(source *source, window int, start time.Time, length time.Duration) {
	sent := 0
	buffer := make([]byte, 4096)
	for time.Since(start) < length {
		for range window {
			c.send(source.next(), sent, time.Since(start))
			sent++
		}
		for {
			_ = c.conn.SetReadDeadline(time.Now().Add(patience))
			n, err := c.conn.Read(buffer)
			if err != nil {
				break // a new window takes the place of what is lost
			}
			if c.take(buffer[:n], start) && time.Since(start) < length {
				c.send(source.next(), sent, time.Since(start))
				sent++
			}
		}
	}
}

func load(server string, source *source, rate float64, length time.Duration, sockets int, wait time.Duration) (*report, error) {
	start := time.Now()
	clients, err := dial(server, sockets)
	if err != nil {
		return nil, err
	}
	var readers sync.WaitGroup
	for _, c := range clients {
		readers.Go(func() { c.receive(start) })
	}
	sent := 0
	for {
		due := time.Duration(float64(sent) / rate * float64(time.Second))
		if due >= length {
			break
		}
		if ahead := due - time.Since(start); ahead > 0 {
			time.Sleep(ahead)
		}
		clients[sent%sockets].send(source.next(), sent/sockets, due)
		sent++
	}
	elapsed := time.Since(start)
	for _, c := range clients {
		_ = c.conn.SetReadDeadline(time.Now().Add(wait))
	}
	readers.Wait()
	return summarise(clients, sent, elapsed), nil
}

func (c *client) send(query []byte, number int, due time.Duration) {
	identifier := uint16(number)
	wire := slices.Clone(query)
	wire[0], wire[1] = byte(identifier>>8), byte(identifier)
	c.due[identifier].Store(int64(due) + 1)
	_, _ = c.conn.Write(wire) // refused while the server restarts: counts as lost
}

func (c *client) receive(start time.Time) {
	buffer := make([]byte, 4096)
	for {
		n, err := c.conn.Read(buffer)
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return
			}
			continue
		}
		c.take(buffer[:n], start)
	}
}

// take counts an answer, and says whether it was waited for.
func (c *client) take(answer []byte, start time.Time) bool {
	if len(answer) < 12 {
		return false
	}
	now := time.Since(start)
	due := c.due[int(answer[0])<<8|int(answer[1])].Swap(0)
	if due == 0 {
		return false
	}
	c.latencies = append(c.latencies, now-time.Duration(due-1))
	c.moments = append(c.moments, time.Duration(due-1))
	c.rcodes[int(answer[3]&0xf)]++
	return true
}

func summarise(clients []*client, sent int, elapsed time.Duration) *report {
	out := &report{Sent: sent, Rcodes: map[string]int{}, Rate: float64(sent) / elapsed.Seconds()}
	var all []time.Duration
	seconds := map[int][]time.Duration{}
	for _, c := range clients {
		all = append(all, c.latencies...)
		for rcode, count := range c.rcodes {
			out.Rcodes[dns.RcodeToString[rcode]] += count
		}
		for i, latency := range c.latencies {
			second := int(c.moments[i] / time.Second)
			seconds[second] = append(seconds[second], latency)
		}
	}
	out.Answered, out.Lost = len(all), sent-len(all)
	if len(all) == 0 {
		return out
	}
	out.P50, out.P99, out.P999 = quantile(all, 0.5), quantile(all, 0.99), quantile(all, 0.999)
	out.Max = quantile(all, 1)
	for second := range int(elapsed/time.Second) + 1 {
		if values := seconds[second]; len(values) > 0 {
			out.PerSecond = append(out.PerSecond, quantile(values, 0.99))
		}
	}
	return out
}

func quantile(values []time.Duration, q float64) float64 {
	slices.Sort(values)
	return float64(values[int(q*float64(len(values)-1))].Nanoseconds()) / 1e3
}
