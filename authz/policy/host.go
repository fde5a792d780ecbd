package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/hopgate/hopgate/authz/policy/glob"
)

// hosts are alternatives for a destination: names, globs over names,
// addresses and ranges of addresses. Nil selects any.
type hosts struct {
	exact []string // sorted
	globs []glob.Glob
	// byTail are globs by what they end with; nil: they are few.
	byTail *affixes[[]glob.Glob]
	nets   []netip.Prefix
	any    bool
	text   []string
}

var (
	errUpper    = errors.New("a host name is written in lower case")
	errDot      = errors.New("a host name is written without a dot at its end")
	errLabel    = errors.New("each label is 1 to 63 letters, digits, hyphens or underscores, with no hyphen at either end; other scripts are written in their xn-- form")
	errHostLong = errors.New("a host name has at most 253 bytes")
	errPartial  = errors.New("a star stands for a whole label, as in *.example.com: one within a label is not supported")
	errStars    = errors.New("a label is *, ** or a name")
	errNumeric  = errors.New("this reads as an address and is none: write an IPv4 address as four decimal numbers without leading zeros")
	errBrackets = errors.New("an IPv6 address is written without brackets here")
	errZone     = errors.New("an address has no zone here")
	errMapped   = errors.New("write the IPv4 address or range itself, not its form in IPv6")
	errHostBits = errors.New("the range has bits set behind its length")
)

// newHosts compiles list; bad is told which are wrong.
func newHosts(list []string, bad func(i int, err error)) *hosts {
	h := &hosts{text: list}
	for i, text := range list {
		if err := h.add(text); err != nil {
			bad(i, err)
		}
	}
	slices.Sort(h.exact)
	if len(h.globs) > few {
		byTail := map[string][]glob.Glob{}
		for i := range h.globs {
			t := h.globs[i].Tail()
			byTail[t] = append(byTail[t], h.globs[i])
		}
		h.byTail = newAffixes(byTail, true)
	}
	return h
}

func (h *hosts) add(text string) error {
	if strings.ContainsAny(text, ":/") || numeric(text) {
		p, err := parseNet(text)
		if err == nil {
			h.nets = append(h.nets, p)
		}
		return err
	}
	if err := checkHost(text); err != nil {
		return err
	}
	g, err := glob.Compile(text, labels)
	switch {
	case err != nil:
		return err
	case g.Lone():
		h.any = true
	case g.Exact():
		h.exact = append(h.exact, text)
	default:
		h.globs = append(h.globs, g)
	}
	return nil
}

// parseNet reads an address, as a range of one, or a range.
func parseNet(text string) (netip.Prefix, error) {
	if strings.HasPrefix(text, "[") {
		return netip.Prefix{}, errBrackets
	}
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, errNumeric
		}
		return checkNet(netip.PrefixFrom(a, a.BitLen()), a)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("this is no range of addresses: %w", err)
	}
	return checkNet(p, p.Addr())
}

func checkNet(p netip.Prefix, a netip.Addr) (netip.Prefix, error) {
	switch {
	case a.Zone() != "":
		return p, errZone
	case a.Is4In6():
		return p, errMapped
	case p.Masked() != p:
		return p, errHostBits
	}
	return p, nil
}

// numeric reports whether text ends in a label that some resolver reads as a
// part of an address (WHATWG URL section 3.5: ends in a number).
func numeric(text string) bool {
	last := text[strings.LastIndexByte(text, '.')+1:]
	if last == "" {
		return false
	}
	if strings.HasPrefix(last, "0x") || strings.HasPrefix(last, "0X") {
		return strings.Trim(last[2:], "0123456789abcdefABCDEF") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

func checkHost(text string) error {
	switch {
	case len(text) > 253:
		return errHostLong
	case strings.ToLower(text) != text:
		return errUpper
	case strings.HasSuffix(text, "."):
		return errDot
	}
	for label := range strings.SplitSeq(text, ".") {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	return nil
}

func checkLabel(label string) error {
	switch {
	case label == "*" || label == "**":
		return nil
	case strings.Trim(label, "*") == "" && label != "":
		return errStars
	case strings.Contains(label, "*"):
		return errPartial
	case label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-':
		return errLabel
	}
	for i := range len(label) {
		if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return errLabel
		}
	}
	return nil
}

// tooWide reports whether a pattern covers all that is registered below a
// public suffix, such as *.com or **.co.uk.
func tooWide(text string) bool {
	suffix, icann, ok := below(text)
	return ok && icann && suffix
}

// anybodys reports whether a pattern covers all that people register with
// somebody who hands out names, such as *.s3.example.
func anybodys(text string) bool {
	suffix, icann, ok := below(text)
	return ok && !icann && suffix
}

// below reports whether what a pattern's globs are below is a public suffix, and
// of which kind; ok is false where it has no globs in front.
func below(text string) (suffix, icann, ok bool) {
	rest := text
	for strings.HasPrefix(rest, "*") {
		_, after, cut := strings.Cut(rest, ".")
		if !cut {
			return false, false, false
		}
		rest = after
	}
	if rest == text || strings.Contains(rest, "*") {
		return false, false, false
	}
	s, icann := publicsuffix.PublicSuffix(rest)
	// Of what no list has, the last label is taken for one.
	return s == rest && strings.Contains(s, ".") || icann && s == rest, icann, true
}

// match reports whether host, in canonical form, is selected. A name's globs
// never match an address.
func (h *hosts) match(host string) bool {
	if h == nil {
		return true
	}
	if host == "" {
		return false
	}
	if h.any || contains(h.exact, host) {
		return true
	}
	if a, ok := hostAddr(host); ok {
		return h.matchAddr(a)
	}
	return h.matchGlobs(host)
}

func (h *hosts) matchGlobs(host string) bool {
	if h.byTail == nil {
		return anyMatches(h.globs, host)
	}
	for i := h.byTail.find(host); i >= 0; i = h.byTail.parent[i] {
		if anyMatches(h.byTail.nodes[i], host) {
			return true
		}
	}
	return false
}

func anyMatches(gs []glob.Glob, s string) bool {
	for i := range gs {
		if gs[i].Match(s) {
			return true
		}
	}
	return false
}

func (h *hosts) matchAddr(a netip.Addr) bool {
	for _, p := range h.nets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// hostAddr reads a host that is an address. An IPv4 address within an IPv6 one
// is the IPv4 address: that is what is dialled. One with a zone is in no range.
func hostAddr(host string) (netip.Addr, bool) {
	if strings.IndexByte(host, ':') < 0 && strings.Trim(host, "0123456789.") != "" {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return a.Unmap(), err == nil
}

// keys are what h is indexed by; none: it cannot be.
func (h *hosts) keys(dst []key) []key {
	if h == nil {
		return dst
	}
	if h.any {
		return append(dst, key{kind: keyRest})
	}
	for _, s := range h.exact {
		dst = append(dst, key{kind: keyExact, text: s})
	}
	for i := range h.globs {
		dst = append(dst, globKey(&h.globs[i]))
	}
	for _, p := range h.nets {
		dst = append(dst, key{kind: keyNet, net: p})
	}
	return dst
}

// String is the alternatives as they were written.
func (h *hosts) String() string {
	if h == nil {
		return "any host"
	}
	return strings.Join(h.text, ", ")
}
