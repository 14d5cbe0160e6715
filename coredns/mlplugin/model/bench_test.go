package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// shipped is the size of a real model.
var shipped = size{
	dimensions: 16, hidden: 32, buckets: 1 << 18, filler: 200_000,
	look: lookSize{window: 7, filters: 384, hidden: 64, longest: 64},
}

// words are what names are made of.
var words = strings.Fields(`
	account ads agent alpha analytics api app apps archive art assets auth auto bank beta big
	blog blue book box bridge build cache camp car cdn center chat city clean client cloud club code color
	config connect content control cook core credit crystal dance data deal dental design dev
	digital direct dns docs download dream east edge edu energy events farm fast feed file finance fire fit flow
	food forum free fresh fun game garden gate global gold good graph green group guide happy
	health help home hotel house hub image info insight inter jet job key kids lab law lead learn life
	light line link list live log login lux mail map market max media metrics mini mobile money moon
	motion music my net new news night north nova ocean office one online open orange outdoor
	page park pay photo pixel place plan play plus point post power press prime print pro push
	quality radio rapid red rent report resort river rock safe sales school search secure server service shop
	sky smart social soft solar source space sport spring star static stats stone store stream studio style
	summer sun super support sync system tech telemetry test time tools top track trade travel trust
	tube turbo union update upload urban user vault video view villa vision vista vital wave web west wiki wild
	wind wine wire wood work world yoga zen zone`)

// benchNames are names in the proportions of a resolver's traffic: half of them two or three labels
// made of words, the others hosts of clouds and CDNs with numbers and hex in them. No name comes
// twice, so that what belongs to one name only is never in a cache.
func benchNames(n int) []string {
	random := rand.New(rand.NewPCG(3, 4))
	word := func() string { return words[random.IntN(len(words))] }
	suffixes := strings.Fields("com com com com org net de co.uk io app dev pages.dev city.kobe.jp")
	names := make([]string, n)
	for i := range names {
		domain := fmt.Sprintf("%s%s.%s", word(), word(), suffixes[random.IntN(len(suffixes))])
		switch kind := random.IntN(10); {
		case kind < 2:
			names[i] = domain
		case kind < 4:
			names[i] = "www." + word() + "-" + domain
		case kind < 7:
			names[i] = fmt.Sprintf("%s%d.%s.%s", word(), random.IntN(100), word(), domain)
		case kind < 9:
			names[i] = fmt.Sprintf("%s-%x.eu-west-%d.%s", word(), random.Uint32(), random.IntN(4), domain)
		default:
			names[i] = fmt.Sprintf("%016x%016x.%s-%d.prod.%s", random.Uint64(), random.Uint64(), word(), random.IntN(1000), domain)
		}
	}
	return names
}

// BenchmarkJudgeNew judges names that were never seen before with the model that is built in. Beside the mean
// it gives the median, which other work on the machine moves less.
func BenchmarkJudgeNew(b *testing.B) {
	m, err := Builtin()
	if err != nil {
		b.Fatal(err)
	}
	names, times := benchNames(1<<16), newTimes()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		m.Judge(names[i&(1<<16-1)])
		times.add(start)
	}
	times.report(b)
}

// times are how long each operation took.
type times []time.Duration

func newTimes() times { return make(times, 0, 1<<22) }

func (t *times) add(start time.Time) {
	if len(*t) < cap(*t) {
		*t = append(*t, time.Since(start))
	}
}

func (t times) report(b *testing.B) {
	slices.Sort(t)
	b.ReportMetric(float64(t[len(t)/2]), "p50-ns/op")
	b.ReportMetric(float64(t[len(t)*99/100]), "p99-ns/op")
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

// BenchmarkScore runs the network on names of which none has a second look.
func BenchmarkScore(b *testing.B) { benchScore(b, highestScore, benchNames(1<<16)) }

// BenchmarkScoreTwice runs it on names that all have one.
func BenchmarkScoreTwice(b *testing.B) { benchScore(b, 0, benchNames(1<<16)) }

// BenchmarkScoreFlood is a flood of random names of 25 bytes, with a second look at each.
func BenchmarkScoreFlood(b *testing.B) { benchScore(b, 0, floodNames(1<<16)) }

func benchScore(b *testing.B, from float64, names []string) {
	m, parts, times := load(b, newFake(shipped).from(from)), make([]Parts, len(names)), newTimes()
	for i, name := range names {
		parts[i] = m.Split(name)
	}
	b.ReportAllocs()
	var scores Scores
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		m.Score(parts[i%len(parts)], &scores)
		times.add(start)
	}
	times.report(b)
}

// floodNames are random letters and digits in one domain, 25 bytes each, as those who flood a
// resolver ask for.
func floodNames(n int) []string {
	random, names := rand.New(rand.NewPCG(5, 6)), make([]string, n)
	for i := range names {
		label := make([]byte, 13)
		for at := range label {
			label[at] = "abcdefghijklmnopqrstuvwxyz0123456789"[random.IntN(36)]
		}
		names[i] = string(label) + ".flooded.com"
	}
	return names
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
