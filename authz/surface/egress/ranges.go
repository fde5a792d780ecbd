package egress

import (
	"net/netip"
	"slices"
	"strings"
)

// Warning is something about the configuration that an operator should know.
// What it is about stays closed.
type Warning struct {
	// Field is what it is about: the range or name as it is configured.
	Field string
	// Text is for a person.
	Text string
}

// String is FIELD: TEXT.
func (w Warning) String() string { return w.Field + ": " + w.Text }

func wellFormed(p netip.Prefix) bool {
	return p.IsValid() && p == p.Masked() && !p.Addr().Is4In6()
}

// checkRange says what an operator may not expect of a range. Whatever it
// covers, only classes that are openable open.
func checkRange(p netip.Prefix) []Warning {
	warn := func(text string) []Warning { return []Warning{{Field: p.String(), Text: text}} }
	if !wellFormed(p) {
		return warn("is no range of addresses with all bits behind its length zero; it opens nothing")
	}
	shut := closedIn(p)
	switch {
	case !opens(p):
		return warn("opens nothing: it covers no private space")
	case len(shut) > 0:
		return warn("is wider than what it opens; what it covers of these stays closed: " + strings.Join(shut, ", "))
	}
	return nil
}

// opens reports whether a range covers anything that it can open.
func opens(p netip.Prefix) bool {
	for _, b := range blocksOf(p) {
		if b.class.openable() && p.Overlaps(b.prefix) {
			return true
		}
	}
	return p.Bits() >= nat64Bits && (p.Overlaps(nat64[0]) || p.Overlaps(nat64[1]))
}

// closedIn are the classes in a range that stay closed, sorted. Metadata
// addresses are in private ranges of many clouds: they alone are no news.
func closedIn(p netip.Prefix) []string {
	var out []string
	for _, b := range blocksOf(p) {
		if !b.class.openable() && p.Overlaps(b.prefix) && b.class != ClassMetadata {
			out = append(out, string(b.class))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func blocksOf(p netip.Prefix) []block {
	if p.Addr().Is4() {
		return blocks4[:]
	}
	return blocks6[:]
}
