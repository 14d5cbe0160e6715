package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/model"
)

const tiny = "../../../testdata/model-tiny"

func lines(t *testing.T, out string) (rows []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestJudge(t *testing.T) {
	var out, log strings.Builder
	in := "WWW.Wikipedia.ORG.\r\n\nnas.local\ntwo words\nm\u00fcnchen.de"
	if code := run([]string{"-model", tiny, "-explain", "-scores"}, strings.NewReader(in), &out, &log); code != exitUsage {
		t.Errorf("exit code %d with a bad name, want %d", code, exitUsage)
	}
	rows := lines(t, out.String())
	if len(rows) != 4 || log.Len() > 0 {
		t.Fatalf("%d rows, log %q", len(rows), log.String())
	}
	first := rows[0]
	if first["qname"] != "www.wikipedia.org" || first["registered_domain"] != "wikipedia.org" || first["verdict"] != "benign" ||
		first["source"] != "reputation" || first["threat"] != nil || first["score"] != 0.0 || first["model"] != "0.0.1" {
		t.Errorf("first row is %v", first)
	}
	if rows[1]["source"] != "allowlist" {
		t.Errorf("second row is %v", rows[1])
	}
	if rows[2]["qname"] != "two words" || !strings.Contains(rows[2]["error"].(string), `\032`) {
		t.Errorf("third row is %v", rows[2])
	}
	if rows[3]["qname"] != "xn--mnchen-3ya.de" || len(rows[3]["scores"].(map[string]any)) != 6 || rows[3]["reasons"] == nil {
		t.Errorf("fourth row is %v", rows[3])
	}
}

func TestGoodNamesEndWell(t *testing.T) {
	var out, log strings.Builder
	if code := run([]string{"-model", tiny}, strings.NewReader("a.com\nb.com\n"), &out, &log); code != exitDone {
		t.Errorf("exit code %d, log %q", code, log.String())
	}
	for _, row := range lines(t, out.String()) {
		if row["reasons"] != nil || row["scores"] != nil {
			t.Errorf("not asked for: %v", row)
		}
	}
}

// TestPlainLines: what is written by hand is what encoding/json writes.
func TestPlainLines(t *testing.T) {
	m, err := model.LoadDir(tiny)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{
		"www.wikipedia.org", "nas.local", "com", ".", `a\"b\\c.example.org`, `\000\255<&>.example.org`,
		"xn--mnchen-3ya.de", "qxkzjwvpqyrt.biz", "secure-login-account-verify.example.xyz",
	}
	plain := newPlain(m.Version())
	for _, name := range names {
		var want strings.Builder
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(judge(m, name, options{})); err != nil {
			t.Fatal(err)
		}
		v, domain := m.JudgeAndSplit(name)
		if got := string(plain.line(name, domain, v)); got != want.String() {
			t.Errorf("%q, want %q", got, want.String())
		}
	}
}

func TestLongLine(t *testing.T) {
	var out, log strings.Builder
	in := strings.Repeat("a.", longestLine) + "\nb.com\n"
	if code := run([]string{"-model", tiny}, strings.NewReader(in), &out, &log); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	if rows := lines(t, out.String()); len(rows) != 2 || rows[0]["error"] == nil || rows[1]["qname"] != "b.com" {
		t.Errorf("rows %v", rows)
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		arguments []string
		code      int
		says      string
	}{
		{[]string{"-model", "no-such-directory"}, exitPart, "no-such-directory"},
		{[]string{"-what"}, exitUsage, "what"},
		{[]string{"example.org"}, exitUsage, "standard input"},
		{[]string{"-h"}, exitDone, "-model"},
	} {
		var out, log strings.Builder
		code := run(test.arguments, strings.NewReader(""), &out, &log)
		if code != test.code || !strings.Contains(log.String(), test.says) || out.Len() > 0 {
			t.Errorf("%v: exit code %d, log %q, output %q", test.arguments, code, log.String(), out.String())
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errors.New("pipe broke") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("pipe broke") }

func TestBrokenPipes(t *testing.T) {
	var out, log strings.Builder
	if code := run([]string{"-model", tiny}, broken{}, &out, &log); code != exitPart || !strings.Contains(log.String(), "pipe broke") {
		t.Errorf("reading: exit code %d, log %q", code, log.String())
	}
	log.Reset()
	if code := run([]string{"-model", tiny}, strings.NewReader("a.com\n"), broken{}, &log); code != exitPart || !strings.Contains(log.String(), "pipe broke") {
		t.Errorf("writing: exit code %d, log %q", code, log.String())
	}
}
