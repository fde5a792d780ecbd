package policy

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// address is the range of addresses that a peer may come from.
func (k *checker) address(at *field.Path, text string) netip.Prefix {
	if text == "" {
		k.invalid(at, "type Address needs it: an address as 10.1.2.3, or a range as 10.1.2.0/24")
		return netip.Prefix{}
	}
	p, err := parseNet(text)
	if err != nil {
		k.invalid(at, "%v", err)
	}
	return p
}

// withNets is p with ranges of addresses as further alternatives.
func (p *patterns) withNets(nets []netip.Prefix) *patterns {
	p.nets = nets
	for _, n := range nets {
		p.text = append(p.text, n.String())
	}
	return p
}

// matchAddr reports whether s is an address in one of p's ranges.
func (p *patterns) matchAddr(s string) bool {
	a, ok := hostAddr(s)
	if !ok {
		return false
	}
	for _, n := range p.nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
