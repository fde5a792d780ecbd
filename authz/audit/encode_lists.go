package audit

func (e *encoder) would(items []Would) {
	if len(items) == 0 {
		return
	}
	start := e.open(fieldWould)
	for i := range items {
		w, at := &items[i], e.item(start)
		first := e.member(fieldWould, "level", w.Level, true)
		first = e.member(fieldWould, "policy", w.Policy, first)
		first = e.member(fieldWould, "rule", w.Rule, first)
		first = e.member(fieldWould, "verdict", string(w.Verdict), first)
		e.close(e.member(fieldWould, "code", w.Code, first))
		if e.full(fieldWould, start, at) {
			break
		}
	}
	e.b = append(e.b, ']')
}

func (e *encoder) ruleErrors(items []RuleError) {
	if len(items) == 0 {
		return
	}
	start := e.open(fieldRuleErrors)
	for i := range items {
		r, at := &items[i], e.item(start)
		first := e.member(fieldRuleErrors, "policy", r.Policy, true)
		first = e.member(fieldRuleErrors, "rule", r.Rule, first)
		e.close(e.member(fieldRuleErrors, "error", r.Error, first))
		if e.full(fieldRuleErrors, start, at) {
			break
		}
	}
	e.b = append(e.b, ']')
}

// seen writes the fields that fit; one that does not is named without its
// value, so that it is known to be missing.
func (e *encoder) seen(items []Field) {
	if len(items) == 0 {
		return
	}
	start := e.open(fieldSeen)
	for i := range items {
		at := e.item(start)
		e.field(&items[i], start)
		if e.full(fieldSeen, start, at) {
			break
		}
	}
	e.b = append(e.b, ']')
}

func (e *encoder) field(f *Field, start int) {
	e.b = append(e.b, `{"name":"`...)
	e.text(fieldSeen, f.Name, memberLimit)
	e.b = append(e.b, '"')
	bare, cut := len(e.b), f.Cut
	e.value(f.Value)
	if len(e.b)-start >= fields[fieldSeen].limit {
		e.b, cut = e.b[:bare], true
		e.cut |= 1 << fieldSeen
	}
	if cut {
		e.b = append(e.b, `,"cut":true`...)
	}
	e.b = append(e.b, '}')
}

func (e *encoder) value(raw []byte) {
	if raw == nil {
		return
	}
	e.b = append(e.b, `,"value":`...)
	limit := fields[fieldSeen].limit
	if len(raw) > limit {
		// Each byte takes at least one: the caller drops this value.
		e.b = append(e.b, raw[:limit]...)
		return
	}
	if s, found := redact(string(raw), limit); found {
		raw = []byte(s)
		e.cut |= 1 << fieldSeen
	}
	b, ok := appendJSON(e.b, raw)
	if e.b = b; ok {
		return
	}
	e.b = append(e.b, '"')
	e.text(fieldSeen, string(raw), limit)
	e.b = append(e.b, '"')
}

// memberLimit bounds one text of a list's item.
const memberLimit = 384

func (e *encoder) open(f field) int {
	e.b = append(e.b, fields[f].key...)
	return len(e.b)
}

// member writes one member of an item's object; first: none was written yet.
// It returns whether that is still so.
func (e *encoder) member(f field, name, s string, first bool) bool {
	if s == "" {
		return first
	}
	sep := `,"`
	if first {
		sep = `{"`
	}
	e.b = append(append(append(e.b, sep...), name...), `":"`...)
	e.text(f, s, memberLimit)
	e.b = append(e.b, '"')
	return false
}

func (e *encoder) close(empty bool) {
	if empty {
		e.b = append(e.b, '{')
	}
	e.b = append(e.b, '}')
}
