package model

import (
	"os"
	"sort"
	"strings"
	"testing"
	"time"
)

func realNames() []string {
	raw, _ := os.ReadFile("/tmp/b/names.txt")
	return strings.Fields(string(raw))
}

func BenchmarkRealJudge(b *testing.B) {
	m, names := load(b, newFake(shipped)), realNames()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		m.Judge(names[i%len(names)])
	}
}

func BenchmarkRealScore(b *testing.B) {
	m, names := load(b, newFake(shipped)), realNames()
	parts := make([]Parts, len(names))
	for i, name := range names {
		parts[i] = m.Split(name)
	}
	b.ResetTimer()
	var s Scores
	for i := 0; b.Loop(); i++ {
		m.Score(parts[i%len(names)], &s)
	}
}

func TestRealMedian(t *testing.T) {
	m, names := load(t, newFake(shipped)), realNames()
	parts := make([]Parts, len(names))
	for i, name := range names {
		parts[i] = m.Split(name)
	}
	var sc Scores
	var f features
	report := func(what string, do func(i int)) {
		var medians, p90 []int
		for pass := 0; pass < 40; pass++ {
			times := make([]int, 1500)
			for i := range times {
				k := (pass*1500 + i) % len(names)
				s := time.Now()
				do(k)
				times[i] = int(time.Since(s))
			}
			sort.Ints(times)
			medians = append(medians, times[len(times)/2])
			p90 = append(p90, times[len(times)*9/10])
		}
		sort.Ints(medians)
		sort.Ints(p90)
		t.Log(what, "median: best", medians[0], "q1", medians[10], "mid", medians[20], "p90 best", p90[0])
	}
	report("nothing", func(i int) {})
	report("judge", func(i int) { m.Judge(names[i]) })
	report("split", func(i int) { m.Split(names[i]) })
	report("score", func(i int) { m.Score(parts[i], &sc) })
	report("pool", func(i int) { f = features{}; m.pool(parts[i], &f) })
	report("pool hot", func(i int) { f = features{}; m.pool(parts[i%10], &f) })
	report("judge hot", func(i int) { m.Judge(names[i%10]) })
	report("logits", func(i int) { m.logits(parts[i], &f, &sc.Logits) })
	report("curve", func(i int) {
		for t := range sc.Logits {
			sc.Threats[t] = m.curves[t].at(sc.Logits[t])
		}
	})
}

func BenchmarkHotPool(b *testing.B) {
	m, names := load(b, newFake(shipped)), realNames()
	parts := make([]Parts, 16)
	for i := range parts {
		parts[i] = m.Split(names[i])
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		var f features
		m.pool(parts[i%16], &f)
	}
}
