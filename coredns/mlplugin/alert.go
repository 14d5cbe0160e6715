package mlplugin

import (
	"strconv"

	"github.com/miekg/dns"
)

// alert writes the one line that a flagged query leaves in the log.
func (q *query) alert() { log.Warning(string(q.appendAlert(nil))) }

// appendAlert adds the line in logfmt. What clients and lists have a say in is quoted, in
// ASCII, so that no name can end the line or pretend to be another key.
func (q *query) appendAlert(b []byte) []byte {
	b = append(b, "flagged name="...)
	b = strconv.AppendQuoteToASCII(b, q.name)
	b = append(b, " client="...)
	b = q.client.AppendTo(b)
	b = append(append(b, " qtype="...), dns.Type(q.qtype).String()...)
	b = append(append(b, " verdict="...), q.ruling.Level.String()...)
	b = append(append(b, " threat="...), orDash(q.ruling.Threat.String())...)
	b = append(b, " score="...)
	b = strconv.AppendFloat(b, q.ruling.Score, 'f', 1, 64)
	b = append(append(b, " source="...), q.ruling.Source.String()...)
	b = append(append(b, " action="...), q.effect.String()...)
	b = append(b, " reason="...)
	b = strconv.AppendQuoteToASCII(b, q.why())
	b = append(b, " model="...)
	b = strconv.AppendQuoteToASCII(b, q.snapshot.model.Version())
	b = append(b, " took="...)
	b = strconv.AppendFloat(b, q.took.Seconds(), 'f', 6, 64)
	return append(b, 's')
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
