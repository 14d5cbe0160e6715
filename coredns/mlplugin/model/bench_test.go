package model

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// shipped is the size of a real model.
var shipped = size{dimensions: 16, hidden: 32, buckets: 1 << 18, filler: 200_000}

// benchNames are new names in the proportions of a resolver's traffic: mostly two to
// four labels, some CDN and cloud names of many octets. Random, so that no name comes twice
// and neither table nor branches are warm for it.
func benchNames(n int) []string {
	random := rand.New(rand.NewPCG(3, 4))
	letters := "aaabcdeeeefghiiijklmnnoooprrsssttuuvwxyz0123456789-"
	word := func(low, high int) string {
		var b strings.Builder
		for range low + random.IntN(high-low+1) {
			b.WriteByte(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	tops := []string{"com", "com", "com", "org", "net", "de", "co.uk", "io", "pages.dev", "city.kobe.jp"}
	names := make([]string, n)
	for i := range names {
		domain := word(4, 16) + "." + tops[random.IntN(len(tops))]
		switch kind := random.IntN(10); {
		case kind < 3:
			names[i] = domain
		case kind < 6:
			names[i] = "www." + domain
		case kind < 8:
			names[i] = word(2, 12) + "." + word(2, 8) + "." + domain
		case kind < 9:
			names[i] = word(10, 20) + "-" + word(5, 9) + "." + word(8, 12) + ".edge." + domain
		default:
			names[i] = word(20, 32) + "." + word(10, 20) + "." + word(5, 9) + ".prod.cloud." + domain
		}
	}
	return names
}

func BenchmarkJudgeNew(b *testing.B) {
	m, names := load(b, newFake(shipped)), benchNames(1<<16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Judge(names[i&(1<<16-1)])
	}
}

// BenchmarkJudgeLong judges a name of the greatest length.
func BenchmarkJudgeLong(b *testing.B) {
	m := load(b, newFake(shipped))
	name := strings.Repeat(strings.Repeat("k3x9", 15)+"ab.", 4)[:249] + ".com"
	b.ReportAllocs()
	for b.Loop() {
		m.Judge(name)
	}
}

func BenchmarkScore(b *testing.B) {
	m := load(b, newFake(shipped))
	parts := make([]Parts, 1<<16)
	for i, name := range benchNames(len(parts)) {
		parts[i] = m.Split(name)
	}
	b.ReportAllocs()
	var scores Scores
	for i := 0; b.Loop(); i++ {
		m.Score(parts[i&(1<<16-1)], &scores)
	}
}

func BenchmarkSplit(b *testing.B) {
	m, names := load(b, newFake(shipped)), benchNames(1<<16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Split(names[i&(1<<16-1)])
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := newFake(shipped).dir()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(dir); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	m := load(b, newFake(shipped))
	v := m.Judge("login-secure.examplebank-verify.com")
	b.ReportAllocs()
	for b.Loop() {
		m.Explain("login-secure.examplebank-verify.com", v)
	}
}
