package source

import (
	"cmp"
	"fmt"
	"strings"
)

// Severity says how bad a Problem is.
type Severity string

const (
	// Error: the object, or the file, is not accepted.
	Error Severity = "error"
	// Warning: accepted, but likely not what was meant.
	Warning Severity = "warning"
	// Info: something was left out on purpose.
	Info Severity = "info"
)

// Effect is what serves in the place of what was not accepted.
type Effect string

const (
	// EffectNone: nothing changed by the problem.
	EffectNone Effect = ""
	// EffectKept: the last accepted version serves.
	EffectKept Effect = "last good kept"
	// EffectNotServed: there is no accepted version; nothing serves.
	EffectNotServed Effect = "not served"
	// EffectDenied: a policy that cannot be read denies what it guards.
	EffectDenied Effect = "denies what it guards until it is mended"
	// EffectClosed: what an XBackend or a Credential that cannot be read is for
	// is not reachable.
	EffectClosed Effect = "what it is for is closed until it is mended"
	// EffectCutOff: a Quarantine that cannot be read holds for all that it may
	// have named.
	EffectCutOff Effect = "cuts off all that it may name until it is mended"
	// EffectFirst: of several the first serves.
	EffectFirst Effect = "the first one serves"
)

// Problem is one thing that is wrong with what was written. It never holds the
// value of a Secret.
type Problem struct {
	// Ref is what is known of the object; it may be empty or partial.
	Ref Ref
	// File is the path as the user gave it. Line and Column count from 1, in
	// bytes; 0 where there is none.
	File         string
	Line, Column int
	// Field is a path such as spec.rules[0].name; empty: the whole object.
	Field string
	// Message says what is wrong, Mend what to do; Mend may be empty.
	Message, Mend string
	Severity      Severity
	Effect        Effect
}

// String is one line: place, object, field, message, mend and effect.
func (p Problem) String() string {
	parts := make([]string, 0, 4)
	if place := p.Place(); place != "" {
		parts = append(parts, place)
	}
	if p.Ref != (Ref{}) {
		parts = append(parts, p.Ref.String())
	}
	if p.Field != "" {
		parts = append(parts, p.Field)
	}
	text := p.Message
	if p.Mend != "" {
		text += "; " + p.Mend
	}
	if p.Effect != EffectNone {
		text += " (" + string(p.Effect) + ")"
	}
	return strings.Join(append(parts, text), ": ")
}

// Place is FILE:LINE:COLUMN, as far as it is known.
func (p Problem) Place() string {
	switch {
	case p.File == "" || p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Compare orders by place, then by object, field and text.
func (p Problem) Compare(o Problem) int {
	return cmp.Or(
		cmp.Compare(p.File, o.File),
		cmp.Compare(p.Line, o.Line),
		cmp.Compare(p.Column, o.Column),
		p.Ref.Compare(o.Ref),
		cmp.Compare(p.Field, o.Field),
		cmp.Compare(p.Message, o.Message),
		cmp.Compare(p.Mend, o.Mend),
	)
}
