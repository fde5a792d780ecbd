package explain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// IsQuery reports whether h is no hop, but a query for a name: its surface is
// DNS, and its peer the address that asks.
func (h *Hop) IsQuery() bool { return h.Do.Surface == nameserver.Surface }

// ExplainQuery says what becomes of a query for a name, and which names are
// listed for who asks.
func (c *Config) ExplainQuery(h *Hop) (Explanation, error) {
	g, err := c.gateway(h.Gateway)
	if err != nil {
		return Explanation{}, err
	}
	from, err := netip.ParseAddr(h.Peer)
	if err != nil {
		return Explanation{}, fmt.Errorf("read peer: %q is no address: say which one asks, as 10.1.2.3", h.Peer)
	}
	from = from.Unmap().WithZone("")
	kind, known := nameserver.ParseType(cmp.Or(h.Do.Method, "A"))
	if !known {
		return Explanation{}, fmt.Errorf("read do.method: %q is no type of DNS, as A, AAAA or HTTPS: %w", h.Do.Method, ErrUnknown)
	}
	switch d := g.Egress.DNS; {
	case d == nil:
		return unanswered(fmt.Sprintf("Gateway/%s answers no names", g.Key), "say spec.egress.dns in its GatewayConfig; its status says why not, where that is there"), nil
	case !slices.ContainsFunc(d.Clients, func(p netip.Prefix) bool { return p.Contains(from) }):
		return unanswered(fmt.Sprintf("it gets no answer: %s is none of the clients of Gateway/%s", from, g.Key), "name it in spec.egress.dns.clients"), nil
	}
	names := c.State.Policies.Names(g.Key, g.Egress.Backends)
	name, _ := egress.ParseName(h.Do.Host)
	e := judged(g, names, name, nameserver.Judge(names, name, from, kind))
	if e.Listed = names.Listed(from); len(e.Listed) == 0 {
		e.Notes = append(e.Notes, "no name is listed for "+from.String())
	}
	return e, nil
}

// unanswered is what becomes of a query that is not looked at.
func unanswered(text, mend string) Explanation {
	return Explanation{Verdict: "deny", Text: text, Notes: []string{"mend: " + mend}}
}

// judged puts a judgement in words.
func judged(g *feedv1.Gateway, names *policy.Names, name string, j nameserver.Judgement) Explanation {
	switch {
	case j.Outcome == nameserver.NoName:
		return unanswered("it is told that there is no such name: it is of a private kind, and not listed", mendOf(denial.NameNotListed))
	case j.Code != "":
		e := denied(j.Code, "")
		e.Notes = append(closedBy(names, name), "mend: "+mendOf(j.Code))
		return e
	}
	e := Explanation{Verdict: "allow", Level: "Gateway/" + g.Key.String(), By: j.Listing.Policy.String() + "/" + j.Listing.Rule}
	if j.Listing.Glob != "" {
		e.Notes = append(e.Notes, fmt.Sprintf("%s lists it: one client may ask for %d different names by that in an hour", j.Listing.Glob, g.Egress.DNS.NamesPerHour))
	}
	e.Notes = append(e.Notes, "the name's addresses are judged when it is looked up; orders, and how much its client asks, are not known here")
	return e
}

// closedBy says what closes a name that could be listed.
func closedBy(names *policy.Names, name string) (notes []string) {
	if p, why, rejected := names.Rejected(); rejected {
		notes = append(notes, fmt.Sprintf("policy %s was not accepted, so that nothing is listed: %s", p, why))
	}
	if p, rule, shut := names.Shut(name); shut {
		notes = append(notes, fmt.Sprintf("%s/%s denies it to everybody", p, rule))
	}
	return notes
}

// mendOf says what would have a query answered that was refused for a code.
func mendOf(code string) string {
	switch code {
	case denial.NameNotListed:
		return "name it in an Allow rule of type Hosts or HTTP whose policy is for this Gateway, or have such a rule allow an XBackend that has it as its hostname"
	case denial.TooManyNames:
		return "write out the names in the rule, or raise spec.egress.dns.namesPerHour; what was asked for before is answered, and others when the hour is over"
	case denial.QueryRefused:
		return "ask for A, AAAA or HTTPS of a host name"
	case denial.QueryRate:
		return "raise spec.egress.dns.queriesPerSecond, if its client has reason to ask so much"
	case denial.TokenRevoked, denial.Quarantined:
		return "hopgate orders shows what stands, and hopgate lift ends it; a Quarantine ends with its object"
	case denial.AddressDenied:
		return "give the name its addresses in spec.egress.hosts, or open their range by spec.egress.insideRanges, if it is meant to lead there"
	default:
		return "find what the log of the gateway says at that time"
	}
}

// explainRefused explains a query whose refusal was recorded. What is not of the
// configuration (rates, orders, where names led) is told as it was.
func (c *Config) explainRefused(r *audit.Record) (Explanation, error) {
	for _, field := range []string{"gateway", "method", "host"} {
		if slices.Contains(r.Cut, field) {
			return Explanation{}, fmt.Errorf("read record: its %s was too long to be recorded whole", field)
		}
	}
	e, err := c.ExplainQuery(&Hop{
		Gateway: r.Gateway, Peer: r.Source.Addr().String(), Do: Do{Surface: r.Surface, Method: r.Method, Host: r.Host},
	})
	if err != nil {
		return e, err
	}
	reason := shown(r.Reason)
	if r.Code != denial.NameNotListed && r.Code != denial.QueryRefused {
		then := denied(r.Code, reason)
		then.Notes, then.Listed = []string{"mend: " + mendOf(r.Code)}, e.Listed
		return then, nil
	}
	if e.Code != r.Code {
		e.Notes = append([]string{fmt.Sprintf("it was refused at %s: %s: %s", r.Time.UTC().Format(time.RFC3339), denied(r.Code, "").Code, reason)}, e.Notes...)
	}
	return e, nil
}

// shown is a text of the record that moves no cursor.
func shown(s string) string {
	if plain(s) {
		return s
	}
	return audit.Display(s, maxShown)
}
