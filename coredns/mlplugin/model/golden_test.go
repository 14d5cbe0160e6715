package model

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

const (
	goldenModel    = "../../../testdata/model-tiny"
	goldenVerdicts = "../../../testdata/golden/verdicts.jsonl"
	agreement      = 1e-5 // what scores and weights of two readers may differ by
)

// golden is what every reader must say of a name.
type golden struct {
	QName            string             `json:"qname"`
	Subdomain        string             `json:"subdomain"`
	Label            string             `json:"label"`
	Suffix           string             `json:"suffix"`
	RegisteredDomain *string            `json:"registered_domain"`
	Logits           map[string]float64 `json:"logits"`
	Scores           map[string]float64 `json:"scores"`
	Leading          string             `json:"leading_threat"`
	First            float64            `json:"first"`
	Overall          float64            `json:"overall"`
	Verdict          string             `json:"verdict"`
	Threat           *string            `json:"threat"`
	Score            float64            `json:"score"`
	Source           string             `json:"source"`
	Reasons          []verdict.Reason   `json:"reasons"`
}

func TestGoldens(t *testing.T) { bothWays(t, goldens) }

func goldens(t *testing.T) {
	m, err := LoadDir(goldenModel)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]int{}
	for _, want := range readGoldens(t) {
		levels[want.Verdict]++
		if want.First >= m.look.from {
			levels["looked at twice"]++
		}
		t.Run(want.QName, func(t *testing.T) {
			want.checkScores(t, m)
			want.checkVerdict(t, m)
		})
	}
	for _, level := range []string{"benign", "suspicious", "malicious", "looked at twice"} {
		if levels[level] == 0 {
			t.Errorf("no golden is %s", level)
		}
	}
}

func readGoldens(t *testing.T) (rows []golden) {
	t.Helper()
	file, err := os.Open(goldenVerdicts)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var row golden
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func (g *golden) checkScores(t *testing.T, m *Model) {
	p := m.Split(g.QName)
	domain := ""
	if g.RegisteredDomain != nil {
		domain = *g.RegisteredDomain
	}
	if p.Subdomain != g.Subdomain || p.Label != g.Label || p.Suffix != g.Suffix || p.RegisteredDomain != domain {
		t.Errorf("split is %+v", p)
	}
	var s Scores
	m.Score(p, &s)
	for i := range s.Logits {
		threat := verdict.Threat(i + 1).String()
		if differ(s.Logits[i], g.Logits[threat]) {
			t.Errorf("logit of %s is %f, want %f", threat, s.Logits[i], g.Logits[threat])
		}
		if differ(s.Threats[i], g.Scores[threat]) {
			t.Errorf("score of %s is %f, want %f", threat, s.Threats[i], g.Scores[threat])
		}
	}
	if differ(s.First, g.First) {
		t.Errorf("the first look gives %f, want %f", s.First, g.First)
	}
	if s.Threat.String() != g.Leading || differ(s.Overall, g.Overall) {
		t.Errorf("%s leads with %f, want %s with %f", s.Threat, s.Overall, g.Leading, g.Overall)
	}
}

func (g *golden) checkVerdict(t *testing.T, m *Model) {
	v, threat := m.Judge(g.QName), ""
	if g.Threat != nil {
		threat = *g.Threat
	}
	if v.Level.String() != g.Verdict || v.Threat.String() != threat || v.Source.String() != g.Source || differ(v.Score, g.Score) {
		t.Errorf("verdict %s %s %s %f, want %s %s %s %f", v.Level, v.Threat, v.Source, v.Score, g.Verdict, threat, g.Source, g.Score)
	}
	reasons := m.Explain(g.QName, v)
	if len(reasons) != len(g.Reasons) {
		t.Fatalf("reasons %v, want %v", reasons, g.Reasons)
	}
	for i, want := range g.Reasons {
		if got := reasons[i]; got.Kind != want.Kind || got.Text != want.Text || differ(got.Weight, want.Weight) {
			t.Errorf("reason %d is %v, want %v", i, got, want)
		}
	}
}

func differ(a, b float64) bool { return !(math.Abs(a-b) <= agreement) }
