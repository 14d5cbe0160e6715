// Command dnsload sends queries to a DNS server at a fixed rate over UDP and reports, as
// one JSON object, what was answered and how long it took. Latency counts from when a
// query was due, not from when it was sent, so that a stalled sender hides nothing
// (coordinated omission).
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
	length := flag.Duration("for", 10*time.Second, "how long")
	names := flag.String("names", "-", "file of names, one a line; they are repeated as needed")
	sockets := flag.Int("sockets", 8, "client sockets")
	wait := flag.Duration("wait", 5*time.Second, "how long to wait for the last answers")
	flag.Parse()
	queries, err := read(*names)
	if err != nil {
		log.Fatal(err)
	}
	out, err := load(*server, queries, *rate, *length, *sockets, *wait)
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
		message := new(dns.Msg)
		message.SetQuestion(dns.Fqdn(lines.Text()), dns.TypeA)
		wire, err := message.Pack()
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

func load(server string, queries [][]byte, rate float64, length time.Duration, sockets int, wait time.Duration) (*report, error) {
	start := time.Now()
	clients := make([]*client, sockets)
	var readers sync.WaitGroup
	for i := range clients {
		conn, err := net.Dial("udp", server)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", server, err)
		}
		clients[i] = &client{conn: conn, rcodes: map[int]int{}}
		readers.Go(func() { clients[i].receive(start) })
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
		clients[sent%sockets].send(queries[sent%len(queries)], sent/sockets, due)
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
		if n < 12 {
			continue
		}
		now := time.Since(start)
		due := c.due[int(buffer[0])<<8|int(buffer[1])].Swap(0)
		if due == 0 {
			continue
		}
		c.latencies = append(c.latencies, now-time.Duration(due-1))
		c.moments = append(c.moments, time.Duration(due-1))
		c.rcodes[int(buffer[3]&0xf)]++
	}
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
