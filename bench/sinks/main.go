// Command sinks stands in for what is around a DNS server under test, as cheaply as it can: an
// upstream that answers at once, a reader of dnstap and a service for events, which both throw
// away what they get. It prints one JSON object with the addresses that it listens on, then
// runs until its standard input ends.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	framestream "github.com/farsightsec/golang-framestream"
	"github.com/miekg/dns"
)

// listening is what is printed.
type listening struct {
	DNS    string `json:"dns"`
	Dnstap string `json:"dnstap"`
	Events string `json:"events"`
}

func main() {
	log.SetFlags(0)
	upstream, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	tap, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	service, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go answer(upstream)
	go readDnstap(tap)
	go func() { log.Fatal(http.Serve(service, http.HandlerFunc(takeEvents))) }()
	err = json.NewEncoder(os.Stdout).Encode(listening{
		DNS:    upstream.LocalAddr().String(),
		Dnstap: "tcp://" + tap.Addr().String(),
		Events: "http://" + service.Addr().String(),
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

const headerSize = 12

// answer gives an address to whoever asks for one, and no data for other types.
func answer(conn net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, client, err := conn.ReadFrom(buffer)
		if err != nil {
			log.Fatal(err)
		}
		if reply := reply(buffer[:n]); reply != nil {
			_, _ = conn.WriteTo(reply, client)
		}
	}
}

var (
	addressA    = record(dns.TypeA, []byte{198, 51, 100, 1})
	addressAAAA = record(dns.TypeAAAA, net.ParseIP("2001:db8::1"))
	// An SOA at the question's name: two roots and five times, so that caches keep the answer.
	soa = record(dns.TypeSOA, append(make([]byte, 2),
		0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 2, 88, 0, 1, 81, 128, 0, 0, 14, 16))
)

// record packs a record of the question's name that lives an hour.
func record(rrtype uint16, data []byte) []byte {
	b := []byte{0xc0, headerSize}
	b = binary.BigEndian.AppendUint16(b, rrtype)
	b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
	b = binary.BigEndian.AppendUint32(b, 3600)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// reply makes the answer in place: header and question stay, all else goes. It gives nil for
// what is no query.
func reply(query []byte) []byte {
	end := headerSize
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5
	if end > len(query) {
		return nil
	}
	query[2] |= 0x84 // an answer, by authority
	query[3] = 0x80
	answers, authorities, data := 1, 0, addressA
	switch binary.BigEndian.Uint16(query[end-4:]) {
	case dns.TypeA:
	case dns.TypeAAAA:
		data = addressAAAA
	default:
		answers, authorities, data = 0, 1, soa
	}
	binary.BigEndian.PutUint16(query[4:], 1)
	binary.BigEndian.PutUint16(query[6:], uint16(answers))
	binary.BigEndian.PutUint16(query[8:], uint16(authorities))
	binary.BigEndian.PutUint16(query[10:], 0)
	return append(query[:end], data...)
}

// readDnstap takes frames off every connection.
func readDnstap(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer conn.Close()
			reader, err := framestream.NewReader(conn, &framestream.ReaderOptions{
				ContentTypes:  [][]byte{[]byte("protobuf:dnstap.Dnstap")},
				Bidirectional: true,
			})
			if err != nil {
				log.Print(err)
				return
			}
			frame := make([]byte, 1<<20)
			for err == nil {
				_, err = reader.ReadFrame(frame)
			}
		}()
	}
}

// takeEvents answers as the service does and keeps nothing; there is no policy.
func takeEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		w.Header().Set("ETag", `"none"`)
		_, _ = io.WriteString(w, `{"version": "none", "overrides": []}`)
		return
	}
	count, buffer := 0, make([]byte, 64<<10)
	for {
		n, err := r.Body.Read(buffer)
		count += bytes.Count(buffer[:n], []byte{'\n'})
		if err != nil {
			break
		}
	}
	fmt.Fprintf(w, `{"stored": %d, "known": 0}`, count)
}
