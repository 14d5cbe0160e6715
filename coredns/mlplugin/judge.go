package mlplugin

import (
	"context"
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/model"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// step is the part of the judgement that decided, finer than a verdict's source.
type step uint8

const (
	byModel step = iota
	byOverride
	byAllow
	byDeny
	byOwnZone
	bySpecial
	byReputation
	byService
	// byAnswer rulings are on no name, and never in a cache.
	byAnswer
)

// maxScore is the score of what a person or a list has condemned.
const maxScore = 60

// ruling is a verdict and how it came about.
type ruling struct {
	verdict.Verdict
	step step
	// domain is the length of the registered domain, which the name ends with, 0 where it
	// has none, at most longDomain; set by snapshot.judge on what is no override.
	domain uint8
	// lookup says whether the cache had it.
	lookup lookup
	// disputed says that the candidate in shadow gives the name another level.
	disputed bool
	// override is set for byOverride only.
	override *policy.Override
	// reasons are set for a fresh ruling byService only.
	reasons *[]verdict.Reason
}

// lookup is what became of a look into the cache of verdicts.
type lookup uint8

const (
	notLooked lookup = iota
	missed
	hit
	lookups
)

// flagged says whether the name is worse than benign.
func (r *ruling) flagged() bool { return r.Level > verdict.Benign }

// permitted says that a person or a list said explicitly that the name is fine.
func (r *ruling) permitted() bool {
	return r.step == byAllow || r.step == byOverride && !r.flagged()
}

// strange says that nothing but a model vouches for the name.
func (r *ruling) strange() bool { return r.Source == verdict.Model }

// ofModel says that the model directory decided, or what the program knows of special names.
func (r *ruling) ofModel() bool {
	return r.step == byModel || r.step == byReputation || r.step == bySpecial
}

// judge is the part of model.Model that judgements need.
type judge interface {
	Version() string
	SHA256() string
	Split(qname string) model.Parts
	JudgeAndSplit(qname string) (v verdict.Verdict, domain string)
	Explain(qname string, v verdict.Verdict) []verdict.Reason
}

// snapshot is all that verdicts depend on. It never changes but for its caches: another
// model or policy makes another snapshot, and a query keeps the one it began with.
type snapshot struct {
	model     judge
	shadow    *candidate // nil for none
	lists     *policy.Lists
	overrides *policy.Overrides
	ownZones  zoneSet
	seed      maphash.Seed
	cache     *cache
	reasons   *reasons
	// remote holds the service's verdicts; nil where it is not asked.
	remote *cache
}

// with gives a changed copy with empty caches.
func (s *snapshot) with(change func(*snapshot)) *snapshot {
	next := *s
	next.seed = maphash.MakeSeed()
	next.cache, next.reasons = newCache(), new(reasons)
	if next.remote != nil {
		next.remote = newCache()
	}
	change(&next)
	return &next
}

// judge rules on a canonical name for a client, without asking the service.
func (s *snapshot) judge(client netip.Addr, name string, now time.Time) ruling {
	if s.overrides.Any() {
		if o := s.overrides.Match(client, name, now); o != nil {
			return overrule(o)
		}
	}
	hash := maphash.String(s.seed, name)
	if value := s.cache.get(hash); value != 0 {
		r := unpack(value)
		r.lookup = hit
		return r
	}
	return s.judgeMissed(hash, name, now)
}

// judgeMissed rules on a name that is not in the cache, and puts it there.
//
//go:noinline
func (s *snapshot) judgeMissed(hash uint64, name string, now time.Time) ruling {
	r := s.judgeAnew(name)
	if s.shadow != nil && r.ofModel() {
		r.disputed = s.shadow.disagrees(name, r.Level)
	}
	s.cache.put(hash, pack(r, now))
	r.lookup = missed
	return r
}

// overrule gives what a person decided.
func overrule(o *policy.Override) ruling {
	r := ruling{Verdict: verdict.Verdict{Source: verdict.Override}, step: byOverride, override: o}
	if o.Status != policy.Benign {
		r.Level, r.Score = verdict.Malicious, maxScore
	}
	return r
}

// judgeAnew goes through the steps after overrides.
func (s *snapshot) judgeAnew(name string) ruling {
	if r, ok := s.listed(name); ok {
		r.domain = lengthOf(s.model.Split(name).RegisteredDomain)
		return r
	}
	v, domain := s.model.JudgeAndSplit(name)
	r := ruling{Verdict: v, step: byModel, domain: lengthOf(domain)}
	switch r.Source {
	case verdict.Allowlist:
		r.step = bySpecial
	case verdict.Reputation:
		r.step = byReputation
	}
	return r
}

// lengthOf gives the length of a registered domain as rulings have it.
func lengthOf(domain string) uint8 { return uint8(min(len(domain), longDomain)) }

// listed rules on a name that the operator has said something about.
func (s *snapshot) listed(name string) (r ruling, ok bool) {
	switch side, _ := s.lists.Match(name); side {
	case policy.Allowed:
		return ruling{Verdict: verdict.Verdict{Source: verdict.Allowlist}, step: byAllow}, true
	case policy.Denied:
		return denied(), true
	}
	if s.ownZones.contains(name) {
		return ruling{Verdict: verdict.Verdict{Source: verdict.Allowlist}, step: byOwnZone}, true
	}
	return ruling{}, false
}

// denied is the ruling on what stands on a deny list.
func denied() ruling {
	return ruling{
		Verdict: verdict.Verdict{Level: verdict.Malicious, Source: verdict.Denylist, Score: maxScore},
		step:    byDeny,
	}
}

// classifier is the part of remote.Classifier that judgements need.
type classifier interface {
	Classify(ctx context.Context, qname string) (verdict.Verdict, []verdict.Reason, bool)
	Close()
}

// remoteSeconds is how long a verdict of the service is taken from the cache.
const remoteSeconds = 60

// ask lets the service rule in place of the model. Where it does not answer in time,
// the ruling of the local model stands, and is asked for again the next time.
func (s *snapshot) ask(ctx context.Context, c classifier, name string, local ruling, now time.Time) ruling {
	hash := maphash.String(s.seed, name)
	if value := s.remote.get(hash); value != 0 && age(value, now) < remoteSeconds {
		r := unpack(value)
		r.lookup = local.lookup
		return r
	}
	v, reasons, ok := c.Classify(ctx, name)
	if !ok {
		return local
	}
	r := ruling{Verdict: v, step: byService, domain: local.domain, lookup: local.lookup}
	s.remote.put(hash, pack(r, now))
	r.reasons = &reasons
	return r
}
