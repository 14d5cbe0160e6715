// Command judge gives the plugin's verdicts on names from standard input, one a line, as JSON
// lines. It is the plugin's own code with no DNS around it: for those who have no
// Python, and for holding the two readers of a model against each other.
//
// Usage:
//
//	judge [-model DIR] [-explain] [-scores] < names
//
// A line that is no valid name gives an object with "error", and exit status 2 at the
// end; status 3 says that the model could not be read. Lines that are empty are left out.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/model"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/qname"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// The exit codes of the project's commands.
const (
	exitDone  = 0
	exitUsage = 2
	exitPart  = 3
)

// longestLine is far more than any name can have; a longer line is answered with an error.
const longestLine = 64 << 10

// bufferSize is what is written at once.
const bufferSize = 64 << 10

// judgement is one line of the result.
type judgement struct {
	QName            string             `json:"qname"`
	RegisteredDomain *string            `json:"registered_domain"`
	Verdict          string             `json:"verdict"`
	Threat           *string            `json:"threat"`
	Score            float64            `json:"score"`
	Source           string             `json:"source"`
	Model            string             `json:"model"`
	Scores           map[string]float64 `json:"scores,omitempty"`
	Reasons          []verdict.Reason   `json:"reasons,omitempty"`
}

// refusal stands in the place of a judgement for what is no name.
type refusal struct {
	QName string `json:"qname"`
	Error string `json:"error"`
}

type options struct{ explain, scores bool }

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(arguments []string, in io.Reader, out, log io.Writer) int {
	flags := flag.NewFlagSet("judge", flag.ContinueOnError)
	flags.SetOutput(log)
	var wanted options
	dir := flags.String("model", "", "model `directory`; default: the one that is built in")
	flags.BoolVar(&wanted.explain, "explain", false, "add the reasons")
	flags.BoolVar(&wanted.scores, "scores", false, "add the score of every threat")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return exitDone
	} else if err != nil || flags.NArg() > 0 {
		if err == nil {
			fmt.Fprintln(log, "judge: names are read from standard input, one a line")
		}
		return exitUsage
	}
	m, err := load(*dir)
	if err != nil {
		fmt.Fprintln(log, "judge:", err)
		return exitPart
	}
	bad, err := judgeAll(m, in, out, wanted)
	switch {
	case err != nil:
		fmt.Fprintln(log, "judge:", err)
		return exitPart
	case bad:
		return exitUsage
	}
	return exitDone
}

func load(dir string) (*model.Model, error) {
	if dir == "" {
		return model.Builtin()
	}
	return model.LoadDir(dir)
}

// judgeAll tells whether there was a line that is no name.
func judgeAll(m *model.Model, in io.Reader, out io.Writer, wanted options) (bad bool, err error) {
	lines, buffer := bufio.NewReaderSize(in, longestLine), bufio.NewWriterSize(out, bufferSize)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	plain := newPlain(m.Version())
	for {
		line, err := nextLine(lines)
		if err != nil {
			return bad, errors.Join(eofIsFine(err), buffer.Flush())
		}
		if line == "" {
			continue
		}
		name, fault := qname.Parse(line)
		switch {
		case fault != nil:
			bad, err = true, encoder.Encode(refusal{shown(line), fault.Error()})
		case wanted == options{}:
			v, domain := m.JudgeAndSplit(name)
			_, err = buffer.Write(plain.line(name, domain, v))
		default:
			err = encoder.Encode(judge(m, name, wanted))
		}
		if err != nil {
			return bad, err
		}
	}
}

// plain writes judgements without reasons and scores as encoding/json would, which takes as long
// as the verdict itself.
type plain struct {
	model []byte // as JSON, and the end of the line
	room  []byte
}

func newPlain(version string) *plain {
	quoted, err := json.Marshal(version)
	if err != nil {
		panic(err) // no string is beyond JSON
	}
	return &plain{model: append(quoted, "}\n"...)}
}

// line gives a line that stands until the next is asked for.
func (p *plain) line(name, domain string, v verdict.Verdict) []byte {
	b := appendQuoted(append(p.room[:0], `{"qname":`...), name)
	b = append(b, `,"registered_domain":`...)
	if domain == "" {
		b = append(b, "null"...)
	} else {
		b = appendQuoted(b, domain)
	}
	b = append(append(append(b, `,"verdict":"`...), v.Level.String()...), `","threat":`...)
	if threat := v.Threat.String(); threat == "" {
		b = append(b, "null"...)
	} else {
		b = append(append(append(b, '"'), threat...), '"')
	}
	b = strconv.AppendFloat(append(b, `,"score":`...), v.Score, 'f', -1, 64)
	b = append(append(append(b, `,"source":"`...), v.Source.String()...), `","model":`...)
	p.room = append(b, p.model...)
	return p.room
}

// appendQuoted writes a canonical name as JSON. It is printable ASCII: quotes and backslashes are
// all that needs an escape.
func appendQuoted(b []byte, name string) []byte {
	b = append(b, '"')
	for i := range len(name) {
		if c := name[i]; c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, name[i])
	}
	return append(b, '"')
}

// nextLine reads a line without its end. Of one that is too long only the start is given, which is
// still too long for a name.
func nextLine(lines *bufio.Reader) (string, error) {
	part, more, err := lines.ReadLine()
	line := string(part)
	for more && err == nil {
		_, more, err = lines.ReadLine()
	}
	return strings.TrimSuffix(line, "\r"), err
}

func eofIsFine(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func judge(m *model.Model, name string, wanted options) judgement {
	parts := m.Split(name)
	v, _ := m.JudgeAndSplit(name)
	result := judgement{
		QName: name, Verdict: v.Level.String(), Score: v.Score, Source: v.Source.String(), Model: m.Version(),
	}
	if parts.RegisteredDomain != "" {
		result.RegisteredDomain = &parts.RegisteredDomain
	}
	if threat := v.Threat.String(); threat != "" {
		result.Threat = &threat
	}
	if wanted.explain {
		result.Reasons = m.Explain(name, v)
	}
	if wanted.scores {
		var scores model.Scores
		m.Score(parts, &scores)
		result.Scores = make(map[string]float64, len(scores.Threats))
		for t, score := range scores.Threats {
			result.Scores[verdict.Threat(t+1).String()] = score
		}
	}
	return result
}

// shown escapes what is no name so that it can stand on a terminal.
func shown(line string) string {
	var out strings.Builder
	for i := 0; i < min(len(line), 1024); i++ {
		if c := line[i]; c < 0x20 || c > 0x7e {
			fmt.Fprintf(&out, `\%03d`, c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}
