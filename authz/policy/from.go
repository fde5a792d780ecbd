package policy

// from is who calls; nil selects anyone.
type from struct{ peers, agents, subjects *patterns }

// eval never is unsure: who is not known is not the one who is named.
func (f *from) eval(e *eval) truth {
	t := yes
	if f.peers != nil {
		t = t.and(e.selects("peer", f.peers, e.q.Peer))
	}
	if f.agents != nil && !e.settled(t) {
		agent, _ := e.q.agent()
		t = t.and(e.selects("agent", f.agents, agent))
	}
	if f.subjects != nil && !e.settled(t) {
		subject, _ := e.q.subject()
		t = t.and(e.selects("subject", f.subjects, subject))
	}
	return t
}

// selects is the common case of a condition: a text among alternatives.
func (e *eval) selects(field string, p *patterns, s string) truth {
	t := truthOf(p.match(s))
	if e.notes != nil {
		e.note(field, p.String(), orNone(s), t)
	}
	return t
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
