package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/internal/testcorpus"
	"github.com/hopgate/hopgate/internal/testenv"
)

// exit is a Gateway by which rows go that agree on what names lead to and what
// the operator opens.
type exit struct {
	name string
	port int
	// captureTLS and captureHTTP are the ports that redirected traffic comes to,
	// names that of queries; 0: there is none.
	captureTLS, captureHTTP, names int

	zone  *zone
	row   *testcorpus.Row // one of its rows
	rules []string
	// models: llm.example and tools.example are reachable as their surfaces
	// alone.
	models bool
	// registry is the host of a registry, keyed one that has a credential; empty:
	// there is none.
	registry, keyed string
}

// fixture is what one sentence is made into, for one way to use tunnels: an
// agent of a Gateway.
type fixture struct {
	exit  *exit
	agent string
	tls   string
	// source is where its connections come from.
	source   netip.Addr
	captured bool
}

// Ways to use a tunnel, as rules have them.
const (
	tlsOpaque      = "Opaque"
	tlsPassthrough = "Passthrough"
	tlsInspect     = "Inspect"
)

// useOf is how the tunnel of a row is used: where nothing is said of what is in
// it, it is one whose bytes nobody reads.
func useOf(r *testcorpus.Row) string {
	s := &r.Setup
	switch {
	case r.Rules.Inspect:
		return tlsInspect
	case r.SNI != "" || s.FirstBytes != nil || s.MaxVersion != "" || s.Tunnel != "":
		return tlsPassthrough
	default:
		return tlsOpaque
	}
}

// surfaced reports whether a row is about a surface that is read from bodies.
func surfaced(r *testcorpus.Row) bool { return r.Rules.Model != "" || len(r.Rules.Tools) > 0 }

// withKey reports whether a row is about a host that is reached with the
// gateway's key: not by a tunnel, but by requests that the gateway makes TLS of.
func withKey(r *testcorpus.Row) bool {
	return r.Rules.Keyed != "" && r.Host == r.Rules.Keyed && r.SNI == r.Host && r.Target == r.Host+":443"
}

// exitOf says which rows go by one exit.
func exitOf(r *testcorpus.Row) string {
	own := ""
	if r.Setup.HasDNS() {
		own = r.ID
	}
	return fmt.Sprint(r.Rules.Inside, r.Rules.Hosts, own, surfaced(r), redirected(r), r.Client == testcorpus.DNS, r.Rules.Registry, r.Rules.Keyed)
}

// fixtures are those of rows, by row.
type fixtures struct {
	exits []*exit
	of    map[string]*fixture
}

// build makes fixtures: a Gateway for each exit, an agent for each sentence.
func build(t testing.TB, rows []testcorpus.Row) *fixtures {
	t.Helper()
	f := &fixtures{of: map[string]*fixture{}}
	exits, agents := map[string]*exit{}, map[string]*fixture{}
	ports := portsOf(rows)
	known := listedNames(rows)
	for i := range rows {
		r := &rows[i]
		key := exitOf(r)
		x := exits[key]
		if x == nil {
			x = &exit{name: fmt.Sprintf("exit-%d", len(f.exits)), zone: newZone(t), row: r, models: surfaced(r), registry: r.Rules.Registry, keyed: r.Rules.Keyed}
			x.resolve(known)
			exits[key], f.exits = x, append(f.exits, x)
		}
		use := useOf(r)
		key = x.name + " " + use + " " + r.Policy + r.Setup.Limit + twice(r)
		if agents[key] == nil {
			n := len(agents)
			agents[key] = &fixture{
				exit: x, agent: fmt.Sprintf("agent-%d", n), tls: use, captured: redirected(r), source: netip.AddrFrom4([4]byte{127, 1, byte(n / 200), byte(n%200 + 1)}),
			}
			x.rules = append(x.rules, agents[key].rules(r, ports)...)
		}
		f.of[r.ID] = agents[key]
	}
	f.listen(t)
	return f
}

// listen finds ports for all exits. Nobody has them yet, and so no two may be
// one.
func (f *fixtures) listen(t testing.TB) {
	taken := map[int]bool{}
	port := func() int {
		p := testenv.Port(t)
		for taken[p] {
			p = testenv.Port(t)
		}
		taken[p] = true
		return p
	}
	for _, x := range f.exits {
		x.port = port()
		switch {
		case redirected(x.row):
			x.captureTLS, x.captureHTTP = port(), port()
		case x.row.Client == testcorpus.DNS:
			x.names = port()
		}
	}
}

// portsOf are all ports that rows name, and those that rules are about.
func portsOf(rows []testcorpus.Row) []uint16 {
	out := []uint16{80, 443}
	for i := range rows {
		for _, s := range []string{rows[i].Target, rows[i].Host} {
			s, _, _ = strings.Cut(strings.TrimPrefix(s, "http://"), "/")
			n, err := strconv.ParseUint(s[strings.LastIndexByte(s, ':')+1:], 10, 16)
			if err == nil && n != 0 && !slices.Contains(out, uint16(n)) {
				out = append(out, uint16(n))
			}
		}
	}
	slices.Sort(out)
	return out
}

// listedNames are all that some row's rules let somebody go to by name.
func listedNames(rows []testcorpus.Row) []string {
	var out []string
	for i := range rows {
		for _, g := range rows[i].Rules.Allow {
			out = append(out, g.Names...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// isListed reports whether one of these globs could mean a name.
func isListed(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		base := strings.TrimLeft(g, "*")
		return g != "*" && (name == base || strings.HasPrefix(base, ".") && strings.HasSuffix(name, base))
	})
}

// elsewhere is where names lead that no rule lists.
const elsewhere = "198.200.0.66"

// resolve has the exit's names lead where its row says, and all others to a
// public address: those that some rule lists to another one than the rest.
func (x *exit) resolve(known []string) {
	s := &x.row.Setup
	x.otherwise(func(m *dns.Msg, q dns.Question) {
		at := elsewhere
		if isListed(known, strings.TrimSuffix(dns.CanonicalName(q.Name), ".")) {
			at = testcorpus.PublicAddress().String()
		}
		m.Answer = append(m.Answer, addresses(q.Qtype, q.Name, 60, at)...)
		if x.row.Client == testcorpus.DNS && q.Qtype == dns.TypeAAAA { // elsewhere one family will do
			m.Answer = append(m.Answer, addresses(q.Qtype, q.Name, 60, "2606:4700::1")...)
		}
		if q.Qtype == dns.TypeHTTPS {
			h := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeHTTPS, Class: dns.ClassINET, Ttl: 60}
			m.Answer = append(m.Answer, &dns.HTTPS{SVCB: dns.SVCB{Hdr: h, Priority: 1, Target: ".", Value: []dns.SVCBKeyValue{&dns.SVCBAlpn{Alpn: []string{"h2"}}}}})
		}
	})
	if s.HasDNS() && s.DNSError == "" && len(s.CNAME) == 0 {
		x.otherwise(nil) // what the row does not name is not there
	}
	for name, addrs := range s.DNS {
		x.zone.at(name, slices.DeleteFunc(slices.Clone(addrs), noAddress)...)
	}
	for from, to := range s.CNAME {
		x.zone.on(from, func(m *dns.Msg, q dns.Question) {
			h := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: h, Target: dns.Fqdn(to)})
		})
	}
	for name, turns := range s.DNSSequence {
		x.takeTurns(name, turns)
	}
	x.fail(s.DNSError)
}

// noAddress reports whether a row says of a name what is no address: such as
// that nothing answers.
func noAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err != nil
}

// takeTurns gives a name one answer after the other, each to both questions of
// a look-up, with no life at all; the last one for ever.
func (x *exit) takeTurns(name string, turns [][]string) {
	asked := map[uint16]int{}
	x.zone.on(name, func(m *dns.Msg, q dns.Question) {
		x.zone.mu.Lock()
		turn := slices.DeleteFunc(slices.Clone(turns[min(asked[q.Qtype], len(turns)-1)]), noAddress)
		asked[q.Qtype]++
		x.zone.mu.Unlock()
		m.Answer = append(m.Answer, addresses(q.Qtype, q.Name, 0, turn...)...)
	})
}

// fail has the exit's servers fail for every name.
func (x *exit) fail(how string) {
	switch strings.ToUpper(how) {
	case "":
	case "NXDOMAIN":
		x.otherwise(nil)
	case "NODATA", "EMPTY", "NOERROR":
		x.otherwise(func(*dns.Msg, dns.Question) {})
	case "REFUSED":
		x.otherwise(func(m *dns.Msg, _ dns.Question) { m.Rcode = dns.RcodeRefused })
	case "TRUNCATED":
		x.otherwise(func(m *dns.Msg, _ dns.Question) { m.Truncated = true })
	default: // a timeout: what looks like no answer at all to who waits for one
		x.otherwise(func(m *dns.Msg, _ dns.Question) { m.Rcode = dns.RcodeServerFailure })
	}
}

// otherwise has names that nobody gave answered so; nil: there are none.
func (x *exit) otherwise(f func(*dns.Msg, dns.Question)) {
	x.zone.mu.Lock()
	defer x.zone.mu.Unlock()
	x.zone.rest = f
}

// rules are those of the fixture, one a line.
func (f *fixture) rules(row *testcorpus.Row, all []uint16) []string {
	r := &row.Rules
	from := fmt.Sprintf("from: {agents: [{name: %s}]}", f.agent)
	if f.captured {
		from = fmt.Sprintf("from: {peers: [{type: Address, address: %s}]}, transaction: {type: None}", f.source)
	}
	n := 0
	var out []string
	add := func(to, rest string) {
		n++
		out = append(out, fmt.Sprintf("{name: %s-%d, %s, to: %s, %s}", f.agent, n, from, to, rest))
	}
	if f.exit.models {
		if r.Model != "" {
			add("{type: Models, models: [{providers: [{kind: XBackend, name: llm}], names: ["+r.Model+"]}]}", "action: Allow")
		} else {
			add("{type: Tools, tools: [{servers: [{kind: XBackend, name: tools}], names: "+quoted(r.Tools)+"}]}", "action: Allow")
		}
		return out
	}
	if r.Registry != "" {
		age := ""
		if r.MinimumAge != "" {
			age = ", minimumAge: " + r.MinimumAge
		}
		add(tunnels(r.Allow[0], all), "action: Allow, with: {tls: "+f.tls+"}")
		of := ""
		if len(r.Packages) > 0 {
			of = ", names: " + quoted(r.Packages)
		}
		add("{type: Packages, packages: [{registry: {kind: XBackend, name: packages}"+age+of+"}]}", "action: Allow")
		return out
	}
	for _, g := range r.Allow {
		if to := tunnels(g, all); to != "" {
			add(to, "action: Allow, with: {tls: "+f.tls+f.tunnelLimits(row)+"}")
		}
		if !g.TunnelOnly {
			add(requests(g, all, slashes(r)), "action: Allow"+limits(r))
		}
		if name := twice(row); name != "" {
			add(requests(g, all, fmt.Sprintf(", headers: [{name: %s, type: Exact, values: [%q]}]", name, lastOf(row, name))), "action: Deny")
		}
	}
	for _, g := range r.Deny {
		if to := tunnels(g, all); to != "" && len(g.Paths) == 0 {
			add(to, "action: Deny")
		}
		add(requests(g, all, ""), "action: Deny")
	}
	return out
}

// twice is a header that the row sends more than once: there is a rule then
// that closes its last value. Empty: there is none that a rule may name.
func twice(r *testcorpus.Row) string {
	seen := map[string]bool{}
	for _, h := range r.Setup.Headers {
		name := strings.ToLower(h[0])
		if seen[name] && strings.HasPrefix(name, "x-") && !strings.HasPrefix(name, "x-forwarded-") && !strings.HasPrefix(name, "x-envoy-") {
			return name
		}
		seen[name] = true
	}
	return ""
}

func lastOf(r *testcorpus.Row, name string) (value string) {
	for _, h := range r.Setup.Headers {
		if strings.EqualFold(h[0], name) {
			value = h[1]
		}
	}
	return value
}

// distinct is a limit on names that an agent goes to.
var distinct = regexp.MustCompile(`^([0-9]+) distinct hosts / ([0-9]+) min$`)

// tunnelLimits are the duties that come with tunnels, which nobody looks into.
func (f *fixture) tunnelLimits(r *testcorpus.Row) string {
	if m := distinct.FindStringSubmatch(r.Setup.Limit); m != nil {
		return fmt.Sprintf(", limits: {distinctNames: %s, window: %sm}", m[1], m[2])
	}
	if r.Rules.UploadBytes > 0 && f.tls != tlsInspect {
		return fmt.Sprintf(", limits: {uploadBytes: %d, window: %s}", r.Rules.UploadBytes, r.Rules.Window)
	}
	return ""
}

// limits are the duties that come with requests.
func limits(r *testcorpus.Rules) string {
	switch {
	case r.HeadBytes > 0:
		return fmt.Sprintf(", with: {limits: {headBytes: %d}}", r.HeadBytes)
	case r.BodyBytes > 0:
		return fmt.Sprintf(", with: {limits: {requestBytes: %d}}", r.BodyBytes)
	case r.UploadBytes > 0:
		return fmt.Sprintf(", with: {limits: {uploadBytes: %d, window: %s}}", r.UploadBytes, r.Window)
	}
	return ""
}

// tunnels is what a grant says of tunnels; empty: nothing. Port 80 is one for
// requests, unless every port is open.
func tunnels(g testcorpus.Grant, all []uint16) string {
	ports := slices.DeleteFunc(slices.Clone(g.Ports), func(p uint16) bool { return p == 80 })
	if len(g.Ports) == 0 {
		ports = all
	}
	if g.RequestOnly || len(ports) == 0 {
		return ""
	}
	return fmt.Sprintf("{type: Hosts, hosts: [%s]}", entries(ports, "names: "+quoted(g.Names)))
}

// requests is what a grant says of requests, with what else it has.
func requests(g testcorpus.Grant, all []uint16, rest string) string {
	ports := g.Ports
	if len(ports) == 0 {
		ports = all
	}
	if len(g.Methods) > 0 {
		rest += ", methods: " + quoted(g.Methods)
	}
	if len(g.Paths) > 0 {
		rest += ", paths: " + quoted(g.Paths)
	}
	if g.Scope != "" {
		rest += fmt.Sprintf(", query: [{name: scope, type: Exact, values: [%q]}]", g.Scope)
	}
	return fmt.Sprintf("{type: HTTP, http: [%s]}", entries(ports, "hosts: "+quoted(g.Names)+rest))
}

// maxPorts is how many ports one entry of a rule may have, maxRules how many
// rules one AccessPolicy.
const (
	maxPorts = 32
	maxRules = 200
)

// entries are those of a rule that are alike but for their ports.
func entries(ports []uint16, rest string) string {
	var out []string
	for part := range slices.Chunk(ports, maxPorts) {
		out = append(out, fmt.Sprintf("{%s, ports: %s}", rest, flow(part)))
	}
	return strings.Join(out, ", ")
}

// slashes is what requests say of encoded slashes.
func slashes(r *testcorpus.Rules) string {
	if r.EncodedSlash {
		return ", encodedSlashes: Keep"
	}
	return ""
}

func quoted(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, strconv.Quote(s))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func flow(ports []uint16) string { return strings.ReplaceAll(fmt.Sprint(ports), " ", ", ") }

// objects are all that make the fixtures.
func (f *fixtures) objects() map[string]string {
	out := map[string]string{}
	for _, x := range f.exits {
		out[x.name+".yaml"] = x.objects()
		out[x.policyFile()] = x.policy("")
	}
	return out
}

// namespace is one of its own where there are surfaces: all Gateways of a
// namespace have them.
func (x *exit) namespace() string {
	if x.models || x.registry+x.keyed != "" {
		return x.name
	}
	return "default"
}

func (x *exit) policyFile() string { return x.name + "-policy.yaml" }

// policy has the exit's rules but for those of an agent.
func (x *exit) policy(without string) string {
	rules := slices.DeleteFunc(slices.Clone(x.rules), func(s string) bool {
		return without != "" && strings.Contains(s, "name: "+without+"}")
	})
	var text string
	for i := 0; i == 0 || i < len(rules); i += maxRules { // one, if it is empty
		text += policy(fmt.Sprint(x.name, "-", i), rules[i:min(i+maxRules, len(rules))]...)
	}
	text = strings.ReplaceAll(text, "name: egress}]", "name: "+x.name+"}]")
	return strings.ReplaceAll(text, "metadata: {", "metadata: {namespace: "+x.namespace()+", ")
}

func (x *exit) objects() string {
	var hosts, ranges []string
	for _, h := range x.row.Rules.Hosts {
		hosts = append(hosts, fmt.Sprintf("{name: %s, addresses: [%s], ports: [%d]}", h.Name, testcorpus.ClusterAddress(), h.Port))
	}
	for _, p := range x.row.Rules.Inside {
		ranges = append(ranges, strconv.Quote(p.String()))
	}
	text := fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: %[1]s, namespace: %[6]s}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: %[1]s}}
  listeners: [{name: proxy, port: %[2]d, protocol: hopgate.dev/Proxy}%[7]s]
---
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: %[1]s, namespace: %[6]s}
spec:
  unmatched: Deny
  egress: {resolvers: [%[3]q], insideRanges: [%[4]s], hosts: [%[5]s]%[8]s}
---
`, x.name, x.port, x.zone.addr.String(), strings.Join(ranges, ", "), strings.Join(hosts, ", "), x.namespace(), x.listeners(), x.dns())
	if x.models {
		text += surfaces(x.namespace())
	}
	if x.keyed != "" {
		text += keyedBackend(x.namespace(), x.keyed)
	}
	if x.registry != "" {
		text += strings.NewReplacer("metadata: {name: packages,", "metadata: {name: packages, namespace: "+x.namespace()+",",
			"port: {port: 443}}", "port: {port: 443}, tls: {mode: ServerOnly, validation: {hostname: "+x.registry+", wellKnownCACertificates: System}}}",
		).Replace(registry("packages", "443", "npm", ""))
	}
	return text
}

// keyEnv is a variable that has the gateway's own key, and keyHeader where it
// goes.
const (
	keyEnv     = "HOPGATE_E2E_KEY"
	keyHeader  = "X-Api-Key"
	gatewayKey = "the-gateways-own"
)

// keyedBackend is a host that is reached with the gateway's own key.
func keyedBackend(namespace, host string) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: keyed, namespace: %[1]s}
spec:
  type: ExternalHostname
  externalHostname: {hostname: %[2]s}
  port: {port: 443}
  tls: {mode: ServerOnly, validation: {hostname: %[2]s, wellKnownCACertificates: System}}
---
apiVersion: hopgate.dev/v1alpha1
kind: Credential
metadata: {name: keyed, namespace: %[1]s}
spec: {targetRef: {kind: XBackend, name: keyed}, header: %[3]s, secret: {type: Environment, environment: %[4]s}}
---
`, namespace, host, strings.ToLower(keyHeader), keyEnv)
}

// listeners are those besides the proxy.
func (x *exit) listeners() string {
	if x.captureTLS == 0 {
		return ""
	}
	return fmt.Sprintf(", {name: tls, port: %d, protocol: %s}, {name: http, port: %d, protocol: %s}",
		x.captureTLS, v1alpha1.ProtocolCaptureTLS, x.captureHTTP, v1alpha1.ProtocolCaptureHTTP)
}

// dns is where agents may ask for names.
func (x *exit) dns() string {
	if x.names == 0 {
		return ""
	}
	return fmt.Sprintf(`, dns: {listen: "127.0.0.1:%d", clients: [127.0.0.0/8]}`, x.names)
}

// surfaces are a provider of models and a server of tools, without TLS.
func surfaces(namespace string) string {
	one := func(name, annotations, protocol string) string {
		return fmt.Sprintf(`
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: %[1]s, namespace: %[4]s, annotations: {%[2]s}}
spec: {type: ExternalHostname, externalHostname: {hostname: %[1]s.example}, port: {port: 443}%[3]s}
---
`, name, annotations, protocol, namespace)
	}
	return one("llm", v1alpha1.AnnotationAppProtocol+": "+v1alpha1.AppProtocolOpenAI, "") + one("tools", "", ", protocol: MCP")
}
