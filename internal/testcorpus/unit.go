package testcorpus

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Unit is what the functions that read hosts, ports, paths and names say of a
// row, and the classifier of addresses, before any rule is asked.
type Unit struct {
	// Refused is why it is refused; empty: it is well formed.
	Refused string
	// Gives is where it leads, in canonical form, with its path if it has one.
	Gives string
	// Silent is why the row has nothing for them to read.
	Silent string
}

// What is wrong with a row besides what package egress refuses.
const (
	refusedSNI    = "sni_differs"
	refusedHost   = "host_differs"
	refusedHosts  = "hosts_differ"
	refusedMethod = "bad_method"
	refusedType   = "record_type"
)

// Unit judges the row so.
func (r *Row) Unit() Unit {
	var u Unit
	var err error
	switch r.Client {
	case Connect:
		u.Gives, err = r.unitConnect()
	case Absolute:
		u.Gives, err = r.unitAbsolute()
	case TLS:
		u.Gives, u.Silent, err = r.unitTLS()
	case HTTP:
		u.Gives, err = r.unitHTTP()
	case DNS:
		u.Gives, u.Silent, err = r.unitDNS()
	}
	if err != nil {
		return Unit{Refused: reasonOf(err)}
	}
	return u
}

// refusal is one that is not of package egress.
type refusal string

func (r refusal) Error() string { return string(r) }

func reasonOf(err error) string {
	var r *egress.Refusal
	if errors.As(err, &r) && r.Class != "" {
		return string(r.Reason) + " " + string(r.Class)
	}
	if r != nil {
		return string(r.Reason)
	}
	return err.Error()
}

func (r *Row) unitConnect() (string, error) {
	d, err := egress.ParseTarget(r.Target)
	if err != nil {
		return "", err
	}
	if err := r.reach(d); err != nil {
		return "", err
	}
	if r.SNI != "" {
		switch name, err := egress.ParseServerName(r.SNI); {
		case err != nil:
			return "", err
		case name != d.Host:
			return "", refusal(refusedSNI)
		}
	}
	if r.Authority() == "" {
		return d.String(), nil
	}
	switch h, err := egress.ParseHost(r.Authority(), 443); {
	case err != nil:
		return "", err
	case h != d:
		return "", refusal(refusedHost)
	}
	return r.withPath(d, r.Path)
}

// withPath reads what a request does at a destination.
func (r *Row) withPath(d egress.Destination, path string) (string, error) {
	if !egress.PlainMethod(r.Method()) {
		return "", refusal(refusedMethod)
	}
	if r.Setup.PseudoPath != "" {
		path = r.Setup.PseudoPath
	}
	if path == "" || path == "(tunnel)" {
		return d.String(), nil
	}
	read := egress.CanonicalPath
	if r.Rules.EncodedSlash {
		read = egress.KeptPath
	}
	p, err := read(path)
	return d.String() + " " + p, err
}

func (r *Row) unitAbsolute() (string, error) {
	d, path, err := egress.ParseAbsolute(r.Target)
	if err != nil {
		return "", err
	}
	hosts := r.hosts()
	if len(hosts) != 1 {
		return "", refusal(refusedHosts)
	}
	switch h, err := egress.ParseHost(hosts[0], 80); {
	case err != nil:
		return "", err
	case h != d:
		return "", refusal(refusedHost)
	}
	if err := r.reach(d); err != nil {
		return "", err
	}
	return r.withPath(d, path)
}

// hosts are the Host headers that the row sends, as far as it says.
func (r *Row) hosts() []string {
	var out []string
	for _, h := range r.Setup.Headers {
		if strings.EqualFold(h[0], "host") {
			out = append(out, h[1])
		}
	}
	if len(out) == 0 && !r.Setup.OmitHost {
		out = []string{r.Host}
	}
	return out
}

func (r *Row) unitTLS() (gives, silent string, err error) {
	if r.Setup.FirstBytes != nil || strings.Contains(r.Target, " ") {
		return "", "it is no TLS", nil
	}
	if len(r.Setup.SNIList) > 1 {
		return "", "", refusal(refusedHosts)
	}
	name, err := egress.ParseServerName(r.SNI)
	if err != nil {
		return "", "", err
	}
	d := egress.Destination{Host: name, Port: 443}
	return d.String(), "", r.reach(d)
}

func (r *Row) unitHTTP() (string, error) {
	d, err := egress.ParseHost(r.Host, 80)
	if err != nil {
		return "", err
	}
	if err := r.reach(d); err != nil {
		return "", err
	}
	return r.withPath(d, r.Path)
}

// answered are the types of records that agents are answered.
func answered() []string { return []string{"A", "AAAA", "HTTPS"} }

func (r *Row) unitDNS() (gives, silent string, err error) {
	name, kind, _ := strings.Cut(r.Target, " ")
	switch {
	case name == "udp" || name == "tcp":
		return "", "it asks somebody else", nil
	case !slices.Contains(answered(), kind):
		return "", "", refusal(refusedType)
	}
	if name, err = egress.ParseName(name); err != nil {
		return "", "", err
	}
	if egress.ClassifyName(name) != egress.NamePublic {
		return "", "", refusal(egress.ReasonName)
	}
	return name, "", nil
}

// Egress is the address space of the row.
func (r *Row) Egress() feedv1.Egress {
	e := feedv1.Egress{InsideRanges: r.Rules.Inside}
	for _, h := range r.Rules.Hosts {
		e.Hosts = append(e.Hosts, feedv1.Host{
			Name: h.Name, Addresses: []netip.Addr{ClusterAddress()}, Ports: []uint16{h.Port}, Clusters: []string{"c"},
		})
	}
	return e
}

// ClusterAddress is where names lead that the operator lists.
func ClusterAddress() netip.Addr { return netip.MustParseAddr("10.96.0.7") }

// PublicAddress is where all names lead that no row says more of.
func PublicAddress() netip.Addr { return netip.MustParseAddr("198.200.0.1") }

// reach judges a destination, and what its name leads to at first.
func (r *Row) reach(d egress.Destination) error {
	plan, _ := egress.NewPlan(egress.PlanConfig{Egress: r.Egress()})
	way, err := plan.Route(d)
	if err != nil || !way.NeedsResolution() {
		return err
	}
	name := d.Host
	if to := r.Setup.CNAME[name]; to != "" {
		if name = to; egress.ClassifyName(name) != egress.NamePublic {
			return refusal(egress.ReasonName)
		}
	}
	answer := r.Setup.DNS[name]
	if turns := r.Setup.DNSSequence[name]; len(turns) > 0 {
		answer = turns[0]
	}
	var addrs []netip.Addr
	for _, s := range answer {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return refusal(egress.ReasonNotation)
		}
		addrs = append(addrs, a)
	}
	if len(addrs) == 0 {
		return nil
	}
	_, err = plan.Settle(d, way, addrs)
	return err
}
