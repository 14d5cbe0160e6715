package model

import "testing"

// bothWays runs a test as this processor runs the networks, and as one without vectors does.
func bothWays(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run("this processor", test)
	t.Run("no vectors", func(t *testing.T) {
		withoutVectors(t)
		test(t)
	})
}

// TestVectorsMakeNoDifference: not in the last bit, or a verdict would depend on the machine.
func TestVectorsMakeNoDifference(t *testing.T) {
	built, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	names := append(append(benchNames(3000), floodNames(1000)...), longName(60), "k.com", "co.uk", "a.b")
	for about, m := range map[string]*Model{"built in": built, "fake": load(t, newFake(shipped).from(0))} {
		var here, there []Scores
		bothWays(t, func(t *testing.T) {
			here, there = there, nil
			for _, name := range names {
				var scores Scores
				m.Score(m.Split(name), &scores)
				there = append(there, scores)
			}
		})
		looks := 0
		for i := range here {
			if here[i] != there[i] {
				t.Fatalf("%s: %s is %+v, without vectors %+v", about, names[i], here[i], there[i])
			}
			if here[i].First >= m.look.from {
				looks++
			}
		}
		if looks < 100 {
			t.Errorf("%s: only %d names have a second look", about, looks)
		}
	}
}
