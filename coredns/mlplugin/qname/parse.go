package qname

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The limits of RFC 1035, 2.3.4, in octets on the wire.
const (
	maxName  = 255
	maxLabel = 63
)

// toASCII maps labels of other scripts as browsers do (UTS 46, not transitional), but takes
// what DNS carries and IDNA does not allow.
var toASCII = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.ValidateLabels(false), idna.CheckHyphens(false), idna.CheckJoiners(false))

// dots are the full stops of other scripts, which separate labels as well (RFC 3490, 3.1).
var dots = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")

// Parse reads a name that a person or a file gives: presentation form, with or
// without the trailing dot, U-labels turned into A-labels. The error is one line that says what is wrong.
func Parse(text string) (string, error) {
	if text == "" {
		return "", errors.New("empty name")
	}
	if !ascii(text) {
		mapped, err := mapped(text)
		if err != nil {
			return "", err
		}
		text = mapped
	}
	if err := valid(text); err != nil {
		return "", err
	}
	return Canonical(text), nil
}

// mapped turns the labels of other scripts into A-labels.
func mapped(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", errors.New("neither ASCII nor UTF-8: write such octets as \\DDD")
	}
	labels := strings.Split(dots.Replace(text), ".")
	for i, label := range labels {
		if ascii(label) {
			continue
		}
		if strings.Contains(label, `\`) {
			return "", errors.New("a label with both an escape and another script")
		}
		mapped, err := toASCII.ToASCII(label)
		if err != nil {
			return "", fmt.Errorf("a character that no name can have: %w", err)
		}
		if mapped == "" || strings.Contains(mapped, `\`) {
			return "", errors.New("a character that stands for nothing, or for a backslash")
		}
		labels[i] = mapped
	}
	return strings.Join(labels, "."), nil
}

// valid holds the presentation form to the limits of the wire.
func valid(text string) error {
	if text == Root {
		return nil
	}
	total, label := 1, 0
	for i := 0; i < len(text); {
		if text[i] == '.' {
			if label == 0 {
				return errors.New("empty label")
			}
			total, label = total+1+label, 0
			i++
			continue
		}
		width, err := escape(text[i:])
		if err != nil {
			return err
		}
		if label++; label > maxLabel {
			return fmt.Errorf("label of more than %d octets", maxLabel)
		}
		i += width
	}
	if label > 0 {
		total += 1 + label
	}
	if total > maxName {
		return fmt.Errorf("%d octets on the wire, %d are allowed", total, maxName)
	}
	return nil
}

// escape tells how many bytes the octet at the start of text takes.
func escape(text string) (int, error) {
	if c := text[0]; c != '\\' {
		if c < 0x21 || c > 0x7e {
			return 0, fmt.Errorf("a space or control character inside the name: write it \\%03d", c)
		}
		return 1, nil
	}
	if len(text) == 1 {
		return 0, errors.New("backslash at the end")
	}
	if !digit(text[1]) {
		return 2, nil
	}
	if len(text) < 4 || !digit(text[2]) || !digit(text[3]) || text[1:4] > "255" {
		return 0, errors.New("a backslash before a digit wants three digits up to 255")
	}
	return 4, nil
}

func ascii(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
