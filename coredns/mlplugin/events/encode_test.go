package events

import (
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

func encode(sequence uint64, e *Event) string {
	var r record
	r.set(sequence, e)
	return string(appendRecord(nil, &r))
}

// answersOf gives addresses and names as answers.
func answersOf(texts ...string) []Answer {
	answers := make([]Answer, len(texts))
	for i, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil {
			answers[i].Address = address
		} else {
			answers[i].Name = text
		}
	}
	return answers
}

func TestEncode(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 123_456_789, time.UTC)
	for name, test := range map[string]struct {
		event Event
		want  string
	}{
		"benign": {
			Event{Time: at, Client: netip.MustParseAddr("192.0.2.7"), Transport: "udp", QName: "www.example.org",
				RegisteredDomain: "example.org", QType: 28, Rcode: 0, Answers: answersOf("www.example.net", "2001:db8::1"),
				Duration: 1500 * time.Microsecond, Verdict: verdict.Verdict{Source: verdict.Reputation}, Model: "2026.11.0",
				Action: "observe"},
			`{"sequence":7,"time":1795428000123456,"client":"192.0.2.7","transport":"udp","qname":"www.example.org",` +
				`"registered_domain":"example.org","qtype":"AAAA","rcode":"NOERROR","answers":["2001:db8::1","www.example.net"],` +
				`"duration":1500,"verdict":"benign","source":"reputation","model":"2026.11.0"}`,
		},
		"blocked": {
			Event{Time: at, Client: netip.MustParseAddr("::ffff:192.0.2.7"), Transport: "https", QName: `a\"\\.example.org`,
				QType: 1234, Rcode: 3, Verdict: verdict.Verdict{Level: verdict.Malicious, Threat: verdict.DGADictionary,
					Source: verdict.Model, Score: 41.26}, Model: "2026.11.0", Action: "nxdomain", Reason: "label:\"x\\\n\x00é"},
			`{"sequence":7,"time":1795428000123456,"client":"192.0.2.7","transport":"https","qname":"a\\\"\\\\.example.org",` +
				`"qtype":"TYPE1234","rcode":"NXDOMAIN","duration":0,"verdict":"malicious","threat":"dga_dictionary","score":41.3,` +
				`"source":"model","model":"2026.11.0","action":"nxdomain","reason":"label:\"x\\????"}`,
		},
		"another opinion": {
			Event{Time: at, Client: netip.MustParseAddr("192.0.2.7"), QName: "x", QType: 1, Model: "m",
				Shadow: Shadow{Model: "2026.12.0", Level: verdict.Malicious, Score: 41.26}},
			`{"sequence":7,"time":1795428000123456,"client":"192.0.2.7","qname":"x","qtype":"A","rcode":"NOERROR","duration":0,` +
				`"verdict":"benign","source":"override","model":"m","shadow_verdict":"malicious","shadow_score":41.3,` +
				`"shadow_model":"2026.12.0"}`,
		},
		"nothing answered, nothing known": {
			Event{Time: at, Rcode: -1, Verdict: verdict.Verdict{Score: math.NaN()}},
			`{"sequence":7,"time":1795428000123456,"client":"0.0.0.0","qname":".","qtype":"None","verdict":"benign",` +
				`"source":"override","model":""}`,
		},
		"odd numbers": {
			Event{Time: at, Client: netip.MustParseAddr("fe80::1%eth0"), QName: "x", QType: 65, Rcode: 4000,
				Duration: -time.Second, Verdict: verdict.Verdict{Score: 0.04}, Model: "m"},
			`{"sequence":7,"time":1795428000123456,"client":"fe80::1","qname":"x","qtype":"HTTPS","rcode":"RCODE4000",` +
				`"duration":0,"verdict":"benign","source":"override","model":"m"}`,
		},
	} {
		if got := encode(7, &test.event); got != test.want+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}

func TestEncodeKeepsWithinTheProtocol(t *testing.T) {
	answers := strings.Split(strings.Repeat("x.example.org,", 40), ",")
	e := Event{Time: time.Now(), QName: "x", Answers: answersOf(answers...), Reason: strings.Repeat("r", 1000)}
	var got struct {
		Answers []string
		Reason  string
	}
	if err := json.Unmarshal([]byte(encode(1, &e)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Answers) != 8 || len(got.Reason) != 256 {
		t.Errorf("%d answers, a reason of %d bytes", len(got.Answers), len(got.Reason))
	}
	slices.Reverse(e.Answers)
	kept := slices.Clone(e.Answers)
	if encode(1, &e); !slices.Equal(e.Answers, kept) {
		t.Error("the caller's answers were touched")
	}
}

// FuzzEncode: any event makes one line that encoding/json reads back as it was.
func FuzzEncode(f *testing.F) {
	f.Add(uint64(1), "example.org", "udp", "nxdomain", "why", "192.0.2.1", uint16(1), 0, 3.1, uint8(0))
	f.Add(uint64(math.MaxUint64), "\\\"\x00\x1f\x7f\xff", "\xed\xa0\x80", "\u2028", "\n", "", uint16(65535), -1, -1.0, uint8(255))
	f.Fuzz(func(t *testing.T, sequence uint64, qname, transport, action, why, answer string, qtype uint16, rcode int, score float64, judged uint8) {
		e := Event{
			Time: time.UnixMicro(int64(sequence >> 1)), QName: qname, Transport: transport, Action: action, Reason: why,
			RegisteredDomain: answer, Answers: []Answer{{Name: answer}, {Name: qname}}, QType: qtype, Rcode: rcode % 5000, Model: transport,
			Verdict: verdict.Verdict{Level: verdict.Level(judged % 3), Threat: verdict.Threat(judged % 7),
				Source: verdict.Source(judged % 7), Score: score},
		}
		text := encode(sequence, &e)
		if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || !utf8.ValidString(text) {
			t.Fatalf("no single line of UTF-8: %q", text)
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var got map[string]any
		if err := decoder.Decode(&got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		answers := []string{answer, qname}
		slices.Sort(answers)
		wantAnswers := []any{readBack(answers[0]), readBack(answers[1])}
		for key, want := range map[string]any{
			"qname": readBack(nameOrRoot(qname)), "transport": orNil(transport), "registered_domain": orNil(answer),
			"model": readBack(transport), "answers": wantAnswers, "verdict": e.Verdict.Level.String(),
			"threat": orNil(e.Verdict.Threat.String()), "source": e.Verdict.Source.String(),
		} {
			if !reflect.DeepEqual(got[key], want) {
				t.Errorf("%s: %q, want %q", key, got[key], want)
			}
		}
		if got["sequence"].(json.Number).String() != jsonNumber(sequence) {
			t.Errorf("sequence %v, want %d", got["sequence"], sequence)
		}
	})
}

// readBack gives what encoding/json makes of a string, there and back.
func readBack(text string) any {
	data, _ := json.Marshal(text)
	var got string
	_ = json.Unmarshal(data, &got)
	return got
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return readBack(text)
}

func jsonNumber(n uint64) string {
	data, _ := json.Marshal(n)
	return string(data)
}

// TestBytesOfAnEvent: what goes over the wire for the usual query, plain and compressed.
func TestBytesOfAnEvent(t *testing.T) {
	var r record
	var body []byte
	const many = 1000
	for n := range many {
		e := sample(n)
		e.Answers = answersOf("192.0.2.1", "www.example.net")
		r.set(uint64(1_795_428_000_123_456+n), e)
		body = appendRecord(body, &r)
	}
	if plain, small := len(body)/many, len(compressed(body))/many; plain > 330 || small > 60 {
		t.Errorf("%d bytes an event, %d compressed", plain, small)
	}
}
