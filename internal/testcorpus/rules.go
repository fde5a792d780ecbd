package testcorpus

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Rules is what the sentence of a row says.
type Rules struct {
	// Inspect: TLS in tunnels ends at the gateway. Capture: agents have no proxy
	// settings. Steered: agents reach nothing but the gateway. Mediated: they ask
	// the gateway for names.
	Inspect, Capture, Steered, Mediated bool
	Allow, Deny                         []Grant
	// Inside are ranges that the operator opens, Hosts names of his own with
	// a port.
	Inside []netip.Prefix
	Hosts  []Host
	// EncodedSlash: a path may hold one.
	EncodedSlash bool
	// Registry is the host of a registry of JavaScript packages, Packages those
	// that may be fetched, none: any; MinimumAge what a release must have.
	Registry   string
	Packages   []string
	MinimumAge string
	// Model is the one that may be asked of the provider, Tools those that may be
	// called of the server.
	Model string
	Tools []string
	// Keyed is a host towards which the gateway puts a credential of its own on.
	Keyed string
	// HeadBytes, BodyBytes and UploadBytes bound a request without its body, the
	// body, and what an agent sends in the Window; 0: nothing does.
	HeadBytes, BodyBytes, UploadBytes int64
	Window                            string
	// Wants are clauses that ask for more than who may go where.
	Wants []string
	// Unknown are clauses that nobody here understands.
	Unknown []string
}

// Host is a name that leads inside because the operator says so.
type Host struct {
	Name string
	Port uint16
}

// Grant is places, and what may be done there.
type Grant struct {
	// Names are globs; "*" is any.
	Names []string
	// Ports; none: any.
	Ports []uint16
	// Secure: it is about what is inside TLS. TunnelOnly: it is about tunnels,
	// and about requests not at all; RequestOnly the other way round.
	Secure, TunnelOnly, RequestOnly bool
	// Methods and Paths; none: any. Paths are globs, ** for any depth.
	Methods, Paths []string
	// Scope is what the query must say that a token is for; empty: nothing.
	Scope string
}

const (
	reHost  = `([^\s,;:/]+)`
	reHosts = `([^\s,;:/]+(?:(?:,? and |, ?)[^\s,;:/]+)*)`
	rePorts = `(?:,?(?: on)? (any port|ports? [0-9]+(?:(?:,? and |, ?)[0-9]+)*)(?: only)?)?`
	rePort  = `(?::([0-9]+))?`
	reSize  = `([0-9]+) ?([KMG]i?B|bytes)`
)

// clause is one kind of clause, and what it says of m.
type clause struct {
	re  *regexp.Regexp
	say func(r *Rules, m []string)
}

func on(re string, say func(r *Rules, m []string)) clause {
	return clause{regexp.MustCompile(`^(?:also |and |as before, )*` + re + `$`), say}
}

// clauses are all that are understood; the first that fits counts.
func clauses() []clause {
	return slices.Concat(waysIn(), grants(), pages(), denials(), openings(), wishes())
}

func waysIn() []clause {
	return []clause{
		on(`TLS inspection on`, func(r *Rules, _ []string) { r.Inspect = true }),
		on(`(?:(?:TLS |SNI )?passthrough|(?:no TLS inspection|TLS inspection off))`, func(*Rules, []string) {}),
		on(`transparent capture(?:, SNI passthrough|)(?:, allow SNI `+reHosts+`)?(?:, allow http `+reHosts+`)?`, func(r *Rules, m []string) {
			r.Capture = true
			for i, port := range []uint16{443, 80} {
				if m[i+1] != "" {
					r.allow(Grant{Names: names(m[i+1]), Ports: []uint16{port}})
				}
			}
		}),
		on(`transparent capture pinned to the original destination`, func(r *Rules, _ []string) {
			r.Capture = true
			r.Wants = append(r.Wants, "pinning to the original destination")
		}),
		on(`pods may (?:reach only|only reach) the gateway(?:'s resolver| and its resolver)?`, func(r *Rules, _ []string) { r.Steered = true }),
		on(`DNS mediated by the gateway`, func(r *Rules, _ []string) { r.Mediated = true }),
	}
}

func grants() []clause {
	return []clause{
		on(`allow any public (?:[hH]ost(?: or IP literal)?(?: by name)?|IP literal)`+rePorts, func(r *Rules, m []string) {
			r.allow(Grant{Names: []string{"*"}, Ports: ports(m[1], 80, 443)})
		}),
		on(`allow hosts? (.+?)`+rePorts+`(?: at the time of opening)?`, func(r *Rules, m []string) {
			r.allow(Grant{Names: names(m[1]), Ports: ports(m[2], 443)})
		}),
		on(`allow SNI `+reHosts, func(r *Rules, m []string) { r.allow(Grant{Names: names(m[1]), Ports: []uint16{443}}) }),
		on(`allow https `+reHost+rePort+`(?:, all paths)?`, func(r *Rules, m []string) {
			r.allow(Grant{Names: names(m[1]), Ports: ports(m[2], 443), Secure: true})
		}),
		on(`allow https `+reHost+` only via CONNECT`, func(r *Rules, m []string) {
			r.allow(Grant{Names: names(m[1]), Ports: []uint16{443}, TunnelOnly: true})
		}),
		on(`allow http`, func(r *Rules, _ []string) {
			r.allow(Grant{Names: []string{"*"}, Ports: []uint16{80}, RequestOnly: true})
		}),
		on(`allow http `+reHosts+rePort, func(r *Rules, m []string) {
			r.allow(Grant{Names: names(m[1]), Ports: ports(m[2], 80), RequestOnly: true})
		}),
		on(`allow `+reHost+rePort, func(r *Rules, m []string) {
			r.allow(Grant{Names: names(m[1]), Ports: ports(m[2], 80, 443)})
		}),
		on(`(?:allow-list present but empty|no allow rule|empty allow-list|default deny)`, func(*Rules, []string) {}),
	}
}

const reMethods = `(?:((?:[A-Z]+,)*[A-Z]+) )?`

// pages are clauses about what is inside TLS.
func pages() []clause {
	return []clause{
		on(`allow (?:websocket )?`+reMethods+`(?:https|wss)://`+reHost+rePort+`(/\S*?)?(?: only)?(, encoded slash permitted)?( by digest| read and git-upload-pack)?`+
			`(?: written as \S+)?(?: for model (\S+) only ?, body limit .*)?( with the gateway's credential.*)?`, page),
		on(`allow `+reMethods+`on `+reHost+` for (?:any package|packages? `+reHosts+`)`, func(r *Rules, m []string) {
			r.Registry, r.Packages = m[2], words(m[3])
			r.allow(Grant{Names: names(m[2]), Ports: []uint16{443}, Secure: true, Methods: list(m[1])})
		}),
		on(`(?:large )?(?:blob|file)s? redirects? to `+reHosts+` (?:permitted|allowed)(?:, (?:no|without the) credential)?`, func(r *Rules, m []string) {
			r.allow(Grant{Names: names(m[1]), Ports: []uint16{443}, Secure: true, Methods: []string{"GET", "HEAD"}})
		}),
		on(`allow gRPC methods? (/\S+)(?: on `+reHost+`)?`, func(r *Rules, m []string) {
			at := []string{"allowed.example"}
			if m[2] != "" {
				at = names(m[2])
			}
			r.allow(Grant{Names: at, Ports: []uint16{443}, Secure: true, Methods: []string{"POST"}, Paths: list(m[1])})
		}),
		on(`allow MCP tools/call names? `+reHosts+` on `+reHost, func(r *Rules, m []string) { r.Tools = words(m[1]) }),
	}
}

// page is a grant that is written as a URL. Without a path it is the page at
// the root alone.
func page(r *Rules, m []string) {
	g := Grant{Names: names(m[2]), Ports: ports(m[3], 443), Secure: true, Methods: list(m[1]), Paths: []string{below(m[4])}}
	r.EncodedSlash = r.EncodedSlash || m[5] != ""
	r.Model = m[7]
	if m[8] != "" {
		r.Keyed = m[2]
	}
	base := strings.TrimSuffix(m[4], "/*")
	switch m[6] {
	case " by digest":
		g.Paths = []string{base + "/manifests/sha256:*", base + "/blobs/sha256:*"}
	case " read and git-upload-pack":
		g.Methods = []string{"GET", "HEAD"}
		r.allow(Grant{Names: g.Names, Ports: g.Ports, Secure: true, Methods: []string{"POST"}, Paths: []string{base + "/git-upload-pack"}})
	}
	r.allow(g)
}

// below is a path whose star at the end stands for all that is below it.
func below(path string) string {
	if base, ok := strings.CutSuffix(path, "/*"); ok {
		return base + "/**"
	}
	if path == "" {
		return "/"
	}
	return path
}

func denials() []clause {
	return []clause{
		on(`deny host:port `+reHost+`:([0-9]+)`, func(r *Rules, m []string) {
			r.Deny = append(r.Deny, Grant{Names: names(m[1]), Ports: ports(m[2])})
		}),
		on(`deny path (\S+) on (?:host )?`+reHost, func(r *Rules, m []string) {
			r.Deny = append(r.Deny, Grant{Names: names(m[2]), Ports: []uint16{80}, Paths: []string{m[1]}, RequestOnly: true})
		}),
		on(`deny (?:hosts? |SNI )?`+reHosts+rePorts+`(?:, deny wins)?`, func(r *Rules, m []string) {
			r.Deny = append(r.Deny, Grant{Names: names(m[1]), Ports: ports(m[2])})
		}),
	}
}

// openings are clauses about what the operator opens besides public space.
func openings() []clause {
	open := func(r *Rules, s string) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			r.Unknown = append(r.Unknown, s)
			return
		}
		r.Inside = append(r.Inside, p)
	}
	return []clause{
		on(`allow any host in (\S+?) declared by the operator`+rePorts, func(r *Rules, m []string) {
			open(r, m[1])
			r.allow(Grant{Names: []string{"*"}, Ports: ports(m[2])})
		}),
		on(`operator (?:allows|declared|opened) (?:range )?(\S+?)`+rePorts, func(r *Rules, m []string) { open(r, m[1]) }),
		on(`operator wrote allow range (\S+)`, func(r *Rules, m []string) {
			open(r, m[1])
			r.allow(Grant{Names: []string{"*"}})
		}),
		on(`operator declared NAT64 prefix (\S+) in use`, func(r *Rules, m []string) {
			open(r, m[1])
			r.allow(Grant{Names: []string{"*"}, Ports: []uint16{80, 443}})
		}),
		on(`allow service (\S+) in namespace (\S+) port ([0-9]+)`, func(r *Rules, m []string) {
			name := m[1] + "." + m[2] + ".svc.cluster.local"
			r.Hosts = append(r.Hosts, Host{name, ports(m[3])[0]})
			r.allow(Grant{Names: []string{name}, Ports: ports(m[3])})
		}),
	}
}

// wishes are clauses that change nothing about who may go where, or that ask
// for something besides.
func wishes() []clause {
	wants := func(r *Rules, m []string) { r.Wants = append(r.Wants, m[0]) }
	return []clause{
		on(`gateway dials its own resolution of that name`, func(*Rules, []string) {}),
		on(`DNS cache refreshes while a pool exists`, func(*Rules, []string) {}),
		on(`agent sets its own base URL`, func(*Rules, []string) {}),
		on(`header-only substitution`, func(*Rules, []string) {}),
		on(`token endpoint pull scope only`, func(r *Rules, _ []string) {
			if len(r.Allow) > 0 {
				g := r.Allow[len(r.Allow)-1]
				name := strings.TrimSuffix(strings.TrimPrefix(g.Paths[0], "/v2/"), "/manifests/sha256:*")
				r.allow(Grant{Names: g.Names, Ports: g.Ports, Secure: true, Methods: []string{"GET"}, Paths: []string{"/token"}, Scope: "repository:" + name + ":pull"})
			}
		}),
		on(`checksum database required`, func(*Rules, []string) {}),
		on(`encoded slash permitted`, func(r *Rules, _ []string) { r.EncodedSlash = true }),
		on(`agent limits as in setup`, wants),
		on(`ECH policy \S+`, wants),
		on(`SOCKS5 listener`, wants),
		on(`egress goes through a corporate parent proxy`, wants),
		on(`request (?:header|head) limit `+reSize, func(r *Rules, m []string) { r.HeadBytes = size(m[1], m[2]) }),
		on(`(?:request )?body limit `+reSize, func(r *Rules, m []string) { r.BodyBytes = size(m[1], m[2]) }),
		on(reSize+` up per (hour|day|minute) per agent`, func(r *Rules, m []string) {
			r.UploadBytes, r.Window = size(m[1], m[2]), map[string]string{"hour": "1h", "day": "24h", "minute": "1m"}[m[3]]
		}),
		on(`credential injected`, wants),
		on(`([0-9]+)-(day|hour) minimum age`, func(r *Rules, m []string) {
			r.MinimumAge = strconv.FormatInt(map[string]int64{"day": 24, "hour": 1}[m[2]]*number(m[1]), 10) + "h"
		}),
		on(`lock file hash required`, wants),
		on(`provenance required`, wants),
	}
}

func (r *Rules) allow(g Grant) { r.Allow = append(r.Allow, g) }

// grammar is all that sentences are made of.
type grammar struct {
	clauses []clause
	remarks *regexp.Regexp
}

func newGrammar() *grammar { return &grammar{clauses(), regexp.MustCompile(` ?\([^)]*\)`)} }

// ParseRules reads the sentence of a row.
func ParseRules(sentence string) Rules { return newGrammar().parse(sentence) }

func (g *grammar) parse(sentence string) Rules {
	var r Rules
	all := g.clauses
	for part := range strings.SplitSeq(g.remarks.ReplaceAllString(sentence, ""), ";") {
		part = strings.TrimSpace(part)
		i := slices.IndexFunc(all, func(c clause) bool { return c.re.MatchString(part) })
		if i < 0 {
			r.Unknown = append(r.Unknown, part)
			continue
		}
		all[i].say(&r, all[i].re.FindStringSubmatch(part))
	}
	return r
}

// names reads A and B, and C in another script, in capitals or with a dot behind
// it, as operators may write it.
func names(s string) []string {
	var out []string
	for _, n := range words(s) {
		if a, err := idna.ToASCII(n); err == nil {
			n = a
		}
		out = append(out, strings.TrimSuffix(strings.ToLower(n), "."))
	}
	return out
}

// words reads A, B and C.
func words(s string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(s, " and ", ","), func(c rune) bool { return c == ',' || c == ' ' })
}

// ports reads "any port", "port 1", "ports 1,2" or "1"; empty: others.
func ports(s string, others ...uint16) []uint16 {
	if s == "any port" {
		return nil
	}
	if s == "" {
		return others
	}
	var out []uint16
	for _, f := range strings.FieldsFunc(s, func(c rune) bool { return c < '0' || c > '9' }) {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			continue
		}
		out = append(out, uint16(n))
	}
	return out
}

// number reads digits; 0: there are too many.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// size is so many bytes, in units as people write them: MB and MiB are one.
func size(n, unit string) int64 {
	return number(n) << map[byte]int{'K': 10, 'M': 20, 'G': 30}[unit[0]]
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
