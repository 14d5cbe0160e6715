// Package verdict is the vocabulary of judgements that the plugin's packages share.
package verdict

// Level says how bad a name is.
type Level uint8

// The levels, in rising order.
const (
	Benign Level = iota
	Suspicious
	Malicious
)

// String gives the level's name in JSON, logs and the Corefile.
func (l Level) String() string { return [...]string{"benign", "suspicious", "malicious"}[l] }

// Threat is the class of harm; NoThreat on benign names and where a judgement has no class.
type Threat uint8

// The threats, in the order of the model's columns.
const (
	NoThreat Threat = iota
	DGA
	DGADictionary
	Malware
	Phishing
	Scam
	Tunnel
)

// ThreatCount is the number of threats, NoThreat not counted.
const ThreatCount = 6

// String gives the threat's name, empty for NoThreat.
func (t Threat) String() string {
	return [...]string{"", "dga", "dga_dictionary", "malware", "phishing", "scam", "tunnel"}[t]
}

// Source says which step of the judgement decided.
type Source uint8

// The sources, in the order in which they are asked; Answer and Behaviour come later.
const (
	Override Source = iota
	Allowlist
	Denylist
	Reputation
	Model
	Answer
	Behaviour
)

// String gives the source's name.
func (s Source) String() string {
	return [...]string{"override", "allowlist", "denylist", "reputation", "model", "answer", "behaviour"}[s]
}

// Verdict is a judgement, without its reasons, which are made only when asked for.
type Verdict struct {
	Level  Level
	Threat Threat
	Source Source
	// Score is -10 log10 of the share of clean names that score at least this high, 0 to 60.
	Score float64
}

// Reason is one part of an explanation. Weights are in log-odds; for a verdict of
// the model they add up to the logit of its threat.
type Reason struct {
	Kind   string  `json:"kind"`
	Text   string  `json:"text"`
	Weight float64 `json:"weight"`
}
