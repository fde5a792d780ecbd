package egress

import (
	"net/netip"
	"strings"
)

// maxAuthority is longer than any authority that is accepted: a name of 253
// bytes, a dot, a colon and a port.
const maxAuthority = 253 + 1 + 1 + 5

// ParseAuthority reads the target of a CONNECT, the authority of an
// absolute-form request or a Host header (RFC 9110 sections 4.2.1, 7.2 and
// 9.3.6): HOST or HOST:PORT. defaultPort stands where s has none; 0: s must
// have one. The error is a *Refusal.
func ParseAuthority(s string, defaultPort uint16) (Destination, error) {
	if s == "" || len(s) > maxAuthority {
		return Destination{}, refuse(ReasonHost)
	}
	if err := checkAuthorityBytes(s); err != nil {
		return Destination{}, err
	}
	host, port, err := splitAuthority(s)
	if err != nil {
		return Destination{}, err
	}
	d := Destination{Port: defaultPort}
	if port != "" {
		if d.Port, err = parsePort(port[1:]); err != nil {
			return Destination{}, err
		}
	}
	if err := d.setHost(host); err != nil {
		return Destination{}, err
	}
	if d.Port == 0 {
		return Destination{}, refuse(ReasonNoPort)
	}
	return d, nil
}

// ParseName reads a host name on its own: no port, no address, no brackets. It
// gives the name in canonical form. The error is a *Refusal.
func ParseName(s string) (string, error) {
	if s == "" || len(s) > 253+1 {
		return "", refuse(ReasonHost)
	}
	if err := checkAuthorityBytes(s); err != nil {
		return "", err
	}
	var d Destination
	if s[0] == '[' || strings.IndexByte(s, ':') >= 0 {
		return "", refuse(ReasonNotation)
	}
	if err := d.setHost(s); err != nil {
		return "", err
	}
	if d.Addr.IsValid() {
		return "", refuse(ReasonNotation)
	}
	return d.Host, nil
}

// checkAuthorityBytes names what is wrong with bytes that no authority has.
func checkAuthorityBytes(s string) error {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7F:
			return refuse(ReasonBytes)
		case c == '@':
			return refuse(ReasonUserInfo)
		case c == '%' && s[0] == '[':
			return refuse(ReasonZone)
		case c == '%':
			return refuse(ReasonEncoded)
		case c == '/' || c == '\\' || c == '?' || c == '#' || c == ',':
			return refuse(ReasonHost)
		}
	}
	return nil
}

// splitAuthority cuts s into a host, in brackets if it came so, and a port
// with its colon; an empty port: none was there.
func splitAuthority(s string) (host, port string, err error) {
	i := strings.IndexByte(s, ':')
	if s[0] == '[' {
		i = strings.IndexByte(s, ']') + 1
		if i == 0 || i < len(s) && s[i] != ':' {
			return "", "", refuse(ReasonNotation)
		}
	}
	if i < 0 || i == len(s) {
		return s, "", nil
	}
	if strings.IndexByte(s[i+1:], ':') < 0 {
		return s[:i], s[i:], nil
	}
	// Several colons: an IPv6 address without brackets, or two ports.
	if strings.Trim(s, "0123456789abcdefABCDEF:.[]") == "" {
		return "", "", refuse(ReasonNotation)
	}
	return "", "", refuse(ReasonPort)
}

// parsePort reads 1 to 65535 in decimal, one spelling for each.
func parsePort(s string) (uint16, error) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, refuse(ReasonPort)
	}
	n := uint32(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, refuse(ReasonPort)
		}
		n = n*10 + uint32(s[i]-'0')
	}
	if n > 65535 {
		return 0, refuse(ReasonPort)
	}
	return uint16(n), nil
}

// setHost reads a host: a name, four decimal numbers, or IPv6 in brackets.
func (d *Destination) setHost(host string) error {
	if strings.HasPrefix(host, "[") {
		return d.setIPv6(host)
	}
	host = strings.ToLower(host)
	name := strings.TrimSuffix(host, ".")
	if endsInNumber(name) {
		a, err := netip.ParseAddr(host)
		if err != nil {
			return refuse(ReasonNotation)
		}
		d.Host, d.Addr = host, a
		return nil
	}
	if err := checkName(name); err != nil {
		return err
	}
	d.Host = name
	return nil
}

// setIPv6 accepts one spelling of each address: the shortest (RFC 5952
// section 4), in either case.
func (d *Destination) setIPv6(host string) error {
	text := strings.ToLower(host[1 : len(host)-1])
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is6() {
		return refuse(ReasonNotation)
	}
	var room [64]byte
	if string(a.AppendTo(room[:0])) != text {
		return refuse(ReasonNotation)
	}
	d.Host, d.Addr = text, a
	return nil
}
