package remote

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := breaker{limit: 3, shortest: time.Second, longest: 3 * time.Second, patience: 10 * time.Second}
	allowed := func(want bool) {
		t.Helper()
		if got := b.allow(now); got != want {
			t.Fatalf("allow = %v, want %v", got, want)
		}
	}
	for range 2 {
		b.fail(now)
	}
	allowed(true)
	if !b.fail(now) {
		t.Fatal("the third failure in a row does not open it")
	}
	allowed(false)
	b.fail(now) // late news of a request that was under way
	now = now.Add(time.Second)
	allowed(true)  // the trial
	allowed(false) // and only it
	if b.fail(now) {
		t.Fatal("a failed trial tells that it opened again")
	}
	now = now.Add(1900 * time.Millisecond)
	allowed(false) // the pause has doubled
	now = now.Add(100 * time.Millisecond)
	allowed(true)
	b.fail(now)
	now = now.Add(2900 * time.Millisecond)
	allowed(false) // the pause ends at its longest
	now = now.Add(100 * time.Millisecond)
	allowed(true)
	now = now.Add(10 * time.Second) // the trial was lost
	allowed(true)
	if !b.succeed() {
		t.Fatal("success does not close it")
	}
	allowed(true)
	b.fail(now)
	b.succeed()
	b.fail(now)
	b.fail(now)
	allowed(true) // never three in a row
}
