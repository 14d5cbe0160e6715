package mlplugin

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/remote"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// settings are what the Corefile says.
type settings struct {
	zones         []string
	model         string // directory, empty for the built-in model
	orBuiltin     bool   // the built-in model while there is nothing at model
	shadow        string // directory of a candidate, empty for none
	rules         rules
	lists         []policy.Entry
	service       string
	remoteTimeout time.Duration // zero where verdicts are local
	sensor        string
	spool         string
	spoolBytes    int64
}

const (
	defaultSpoolBytes = 256 << 20
	minSpoolBytes     = 1 << 20
	maxSensor         = 255
	// maxRemoteTimeout is longer than any client waits.
	maxRemoteTimeout = 10 * time.Second
)

// option reads one option of the block.
type option func(p *parser) error

// options are the Corefile's, by name.
var options map[string]option

func init() { // not a literal, which would refer to itself through nearest
	options = map[string]option{
		"model":    (*parser).model,
		"shadow":   (*parser).shadow,
		"on":       (*parser).on,
		"allow":    func(p *parser) error { return p.list(policy.Allowed) },
		"deny":     func(p *parser) error { return p.list(policy.Denied) },
		"service":  (*parser).service,
		"classify": (*parser).classify,
		"sensor":   (*parser).sensor,
		"spool":    (*parser).spool,
	}
}

// parser reads the directive into settings.
type parser struct {
	*caddy.Controller
	settings
	root string
	// seen are the options, and subjects of on, that were given.
	seen map[string]bool
}

// parse reads the directive, which stands once in a server block.
func parse(c *caddy.Controller) (settings, error) {
	p := &parser{Controller: c, seen: map[string]bool{}, root: dnsserver.GetConfig(c).Root}
	p.spoolBytes = defaultSpoolBytes
	for i := 0; c.Next(); i++ {
		if i > 0 {
			return settings{}, plugin.ErrOnce
		}
		p.zones = plugin.OriginsFromArgsOrServerBlock(c.RemainingArgs(), c.ServerBlockKeys)
		for c.NextBlock() {
			if err := p.option(); err != nil {
				return settings{}, err
			}
		}
	}
	return p.settings, p.finish()
}

func (p *parser) option() error {
	name := p.Val()
	read, ok := options[name]
	if !ok {
		return p.Errf("unknown option %q%s", name, suggest(name, keys(options)))
	}
	if p.seen[name] && name != "on" && name != "allow" && name != "deny" {
		return p.Errf("%s is given twice", name)
	}
	p.seen[name] = true
	return read(p)
}

// finish checks what depends on several options and fills in defaults.
func (p *parser) finish() error {
	for _, name := range []string{"classify", "spool"} {
		if p.seen[name] && p.settings.service == "" {
			return p.Errf("%s needs a service: add a line such as `service http://127.0.0.1:5000`", name)
		}
	}
	if p.rules.levels[verdict.Suspicious].effect != observe && !p.seen["on malicious"] {
		log.Warning("on suspicious says nothing of malicious names, which are only reported: add `on malicious nxdomain`")
	}
	if p.settings.sensor == "" {
		host, err := os.Hostname()
		if err != nil || !isSensor(host) {
			host = "coredns"
		}
		p.settings.sensor = host
	}
	return nil
}

// one gives the only argument of the option.
func (p *parser) one(what string) (string, error) {
	name := p.Val()
	args := p.RemainingArgs()
	if len(args) != 1 {
		return "", p.Errf("%s takes %s", name, what)
	}
	return args[0], nil
}

// path makes a path of the Corefile absolute, or relative to where CoreDNS runs.
func (p *parser) path(path string) string {
	if filepath.IsAbs(path) || p.root == "" {
		return path
	}
	return filepath.Join(p.root, path)
}

func (p *parser) model() error {
	args := p.RemainingArgs()
	p.orBuiltin = len(args) == 3 && args[1] == "or" && args[2] == "builtin"
	if len(args) != 1 && !p.orBuiltin {
		return p.Errf("model takes the model's directory, and `or builtin` if it need not be there")
	}
	p.settings.model = p.path(args[0])
	return nil
}

func (p *parser) shadow() error {
	directory, err := p.one("the directory of a model that is to judge without effect, or a link to one")
	if err == nil {
		p.settings.shadow = p.path(directory)
	}
	return err
}

func (p *parser) service() error {
	url, err := p.one("the address of the service, such as http://127.0.0.1:5000")
	if err != nil {
		return err
	}
	if err := remote.CheckURL(url); err != nil {
		return p.Errf("%v", err)
	}
	p.settings.service = strings.TrimSuffix(url, "/")
	return nil
}

func (p *parser) sensor() error {
	name, err := p.one("a name")
	if err == nil && !isSensor(name) {
		err = p.Errf("a sensor's name has 1 to %d bytes of printable characters, and %.80q has not", maxSensor, name)
	}
	p.settings.sensor = name
	return err
}

// isSensor says whether the service takes the name for a sensor's.
func isSensor(name string) bool {
	return name != "" && len(name) <= maxSensor && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (p *parser) classify() error {
	const how = "classify takes `remote` and how long a query waits at most, such as `classify remote 50ms`"
	args := p.RemainingArgs()
	if len(args) != 2 || args[0] != "remote" {
		return p.Errf(how)
	}
	timeout, err := time.ParseDuration(args[1])
	if err != nil || timeout <= 0 || timeout > maxRemoteTimeout {
		return p.Errf("%q is no time up to %s: %s", args[1], maxRemoteTimeout, how)
	}
	p.remoteTimeout = timeout
	return nil
}

func (p *parser) list(side policy.Side) error {
	name := p.Val()
	args := p.RemainingArgs()
	if len(args) == 0 {
		return p.Errf("%s takes files, names or addresses", name)
	}
	for _, arg := range args {
		entry, err := policy.ParseEntry(side, arg, p.root)
		if err != nil {
			return p.Errf("%s: %v", name, err)
		}
		p.lists = append(p.lists, entry)
	}
	return nil
}

func (p *parser) spool() error {
	args := p.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return p.Errf("spool takes a directory and, if you like, its size, such as `spool /var/lib/mlplugin/spool 256MiB`")
	}
	p.settings.spool = p.path(args[0])
	if len(args) == 2 {
		size, err := parseSize(args[1])
		if err != nil || size < minSpoolBytes {
			return p.Errf("%q is no size of 1MiB or more: write it like 256MiB or 2GiB", args[1])
		}
		p.spoolBytes = size
	}
	return nil
}

// units are those of sizes; the short ones mean the same as the long ones.
var units = map[string]int64{
	"": 1, "B": 1, "K": 1 << 10, "KIB": 1 << 10, "KB": 1e3, "M": 1 << 20, "MIB": 1 << 20, "MB": 1e6,
	"G": 1 << 30, "GIB": 1 << 30, "GB": 1e9, "T": 1 << 40, "TIB": 1 << 40, "TB": 1e12,
}

// parseSize reads a number of bytes such as 256MiB.
func parseSize(text string) (int64, error) {
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(text)
	}
	unit, ok := units[strings.ToUpper(strings.TrimSpace(text[end:]))]
	n, err := strconv.ParseInt(text[:end], 10, 64)
	if err != nil || !ok || n > (1<<62)/unit {
		return 0, errors.New("no size")
	}
	return n * unit, nil
}

// on reads VERDICT|THREAT ACTION.
func (p *parser) on() error {
	args := p.RemainingArgs()
	if len(args) < 2 {
		return p.Errf("on takes a verdict or a threat, and an action, such as `on malicious nxdomain`")
	}
	subject := args[0]
	if p.seen["on "+subject] {
		return p.Errf("on %s is given twice", subject)
	}
	p.seen["on "+subject] = true
	a, err := p.action(args[1], args[2:])
	if err != nil {
		return err
	}
	for level := verdict.Suspicious; level <= verdict.Malicious; level++ {
		if subject == level.String() {
			p.rules.levels[level] = a
			return nil
		}
	}
	for threat := verdict.DGA; threat <= verdict.ThreatCount; threat++ {
		if subject == threat.String() {
			p.rules.threats[threat] = &a
			return nil
		}
	}
	return p.Errf("%q is no verdict and no threat that something can be done about%s", subject, suggest(subject, subjects()))
}

// subjects are the words that may follow on.
func subjects() []string {
	words := []string{verdict.Suspicious.String(), verdict.Malicious.String()}
	for threat := verdict.DGA; threat <= verdict.ThreatCount; threat++ {
		words = append(words, threat.String())
	}
	return words
}

// action reads an action and what may follow sinkhole.
func (p *parser) action(name string, addresses []string) (action, error) {
	at := slices.Index(effectNames[:], name)
	if at < 0 {
		return action{}, p.Errf("unknown action %q%s", name, suggest(name, effectNames[:]))
	}
	a := action{effect: effect(at)}
	if a.effect != sinkhole {
		if len(addresses) > 0 {
			return action{}, p.Errf("%s takes no arguments, but %q follows it", name, addresses[0])
		}
		return a, nil
	}
	var four, six netip.Addr
	for _, text := range addresses {
		address, err := netip.ParseAddr(text)
		switch {
		case err != nil || address.Zone() != "" || address.Is4In6():
			return action{}, p.Errf("sinkhole takes an IPv4 and an IPv6 address, and %q is neither", text)
		case address.Is4() && !four.IsValid():
			four = address
		case address.Is6() && !six.IsValid():
			six = address
		default:
			return action{}, p.Errf("sinkhole takes one address of each family, and %q is one more", text)
		}
	}
	a = defaultSinkhole
	if four.IsValid() {
		a.ipv4 = four
	}
	if six.IsValid() {
		a.ipv6 = six
	}
	return a, nil
}
