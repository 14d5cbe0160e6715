package policy

import (
	"fmt"
	"testing"
)

// TestNames holds the set to a map, in sizes around those where its shape changes.
func TestNames(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 1000, 10_000} {
		n, want := newNameSet(), map[string]Side{}
		for i := range size {
			name := fmt.Sprintf("host%d.example.org", i)
			want[name] = Allowed + Side(i%2)
			n.add(name, want[name])
			if i%3 == 0 { // twice, and on both sides
				n.add(name, Denied)
				n.add(name, Allowed)
				want[name] = Allowed
			}
		}
		n.seal()
		if n.len() != size {
			t.Errorf("%d names of %d", n.len(), size)
		}
		for name, side := range want {
			if got := n.find(name); got != side {
				t.Fatalf("%s of %d: side %d, want %d", name, size, got, side)
			}
		}
		for i := range 1000 {
			if name := fmt.Sprintf("host%d.example.net", i); n.find(name) != None {
				t.Fatalf("%s was never listed", name)
			}
		}
	}
}

// BenchmarkMillion has a list as long as public ones are.
func BenchmarkMillion(b *testing.B) {
	n := newNameSet()
	for i := range 1_000_000 {
		n.add(fmt.Sprintf("host%d.listed%d.example", i, i%99991), Denied)
	}
	n.seal()
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = fmt.Sprintf("host%d.listed%d.example", i*17, i*17%99991)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		n.find(names[i%len(names)])
		i++
	}
}
