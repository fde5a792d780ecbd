package audit

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Columns that single pieces may take: enough to know what is meant, and no
// piece can push the others out of sight.
const (
	nameColumns = 48
	argColumns  = 32
	hostColumns = 64
	pathColumns = 72
	whyColumns  = 160
	// causeDigits is how much is shown of the id of another hop: enough to find
	// it.
	causeDigits = 12
)

// surfaceNames is that of queries for names.
const surfaceNames = "DNS"

// what says what a hop asks for, in its protocol's terms, and which hop's answer
// led there.
func (r *Record) what() string {
	if r.Kind == KindChange {
		return phrase(r.Reason)
	}
	if r.Cause != (HopID{}) {
		return join("(redirect of "+r.Cause.String()[:causeDigits]+")", r.asked())
	}
	return r.asked()
}

func (r *Record) asked() string {
	switch v1alpha1.SurfaceType(r.Surface) {
	case v1alpha1.SurfaceTools, v1alpha1.SurfaceAgents:
		return join(Display(r.verb(), nameColumns), r.server(), r.called())
	case v1alpha1.SurfaceModels:
		return join("model", r.called(), r.server())
	case surfaceNames:
		return join(surfaceNames, Display(r.verb(), nameColumns), r.askedFor(), r.asker())
	case v1alpha1.SurfaceHosts:
		return join("CONNECT", Display(r.authority(), hostColumns))
	}
	return join(Display(r.verb(), nameColumns), r.target())
}

// askedFor is the name that a query asks for; empty: it could not be read.
func (r *Record) askedFor() string {
	if r.Host == "" {
		return ""
	}
	return Display(r.Host, hostColumns)
}

// asker is who asks for a name: nobody has a token for that.
func (r *Record) asker() string {
	if !r.Source.IsValid() {
		return ""
	}
	return "from " + r.Source.Addr().String()
}

// target is where a plain request goes.
func (r *Record) target() string {
	if r.Host == "" && r.Path == "" {
		return r.server()
	}
	return Display(r.authority()+r.Path, hostColumns+pathColumns)
}

func (r *Record) verb() string {
	if r.Method == "" {
		return "request"
	}
	return r.Method
}

// called is the tool or model, with the arguments that rules read.
func (r *Record) called() string {
	if r.Name == "" {
		return ""
	}
	var args []string
	for _, f := range r.Seen {
		name, ok := strings.CutPrefix(f.Name, "args.")
		if !ok {
			continue
		}
		switch {
		case f.Cut:
			args = append(args, Display(name, argColumns)+"="+ellipsis)
		case f.Value != nil:
			args = append(args, Display(name, argColumns)+"="+argument(f.Value))
		}
	}
	if len(args) == 0 {
		return Display(r.Name, nameColumns)
	}
	return Display(r.Name, nameColumns) + "(" + strings.Join(args, ", ") + ")"
}

func argument(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return Display(s, argColumns)
	}
	return Display(string(raw), argColumns)
}

// server is the name of the backend, the namespace left out; all of them, if
// there are more.
func (r *Record) server() string {
	names := make([]string, 0, len(r.Backends))
	for _, b := range r.Backends {
		names = append(names, Display(b[strings.LastIndexByte(b, '/')+1:], nameColumns))
	}
	return strings.Join(names, ",")
}

// authority is not yet fit to be shown.
func (r *Record) authority() string {
	if r.Host == "" || r.Port == 0 {
		return r.Host
	}
	return net.JoinHostPort(strings.Trim(r.Host, "[]"), strconv.Itoa(int(r.Port)))
}

// until says when a hop that changed ends.
func (r *Record) until() string {
	if r.Until.IsZero() {
		return ""
	}
	return "until " + r.Until.UTC().Format(time.TimeOnly) + "Z"
}

// by says what decided: the code of a denial, the rule of all else.
func (r *Record) by() string {
	if r.Kind == KindDeny && r.Code != "" {
		return Display(r.Code, nameColumns)
	}
	return r.rule()
}

// rule is the rule that decided, with its policy.
func (r *Record) rule() string {
	switch {
	case r.Policy == "":
		return ""
	case r.Rule == "":
		return Display(r.Policy, nameColumns)
	}
	return Display(r.Policy+"/"+r.Rule, nameColumns)
}

// why says why a hop was denied, for a person. The reason may hold an agent's
// words and comes last, so that it can pass for nothing else.
func (r *Record) why() string {
	rule := r.rule()
	if rule != "" {
		rule = "[" + rule + "]"
	}
	return join(rule, phrase(r.Reason))
}

// phrase shows a sentence without quoting all of it: what could deceive is
// escaped as everywhere.
func phrase(s string) string {
	b, _ := formShow.append(nil, strings.ReplaceAll(s, `"`, "'"), whyColumns) // that it is cut is shown in it
	return string(b)
}

// ending says how a hop ended, and for what where that is not the same.
func (r *Record) ending() string {
	parts := []string{Display(string(r.End), nameColumns)}
	if r.Code != "" && r.Code != string(r.End) {
		parts = append(parts, "("+Display(r.Code, nameColumns)+")")
	}
	if r.Duration > 0 {
		parts = append(parts, shortDuration(r.Duration))
	}
	if r.BytesIn > 0 {
		parts = append(parts, "in "+shortBytes(r.BytesIn))
	}
	if r.BytesOut > 0 {
		parts = append(parts, "out "+shortBytes(r.BytesOut))
	}
	if r.TokensIn > 0 || r.TokensOut > 0 {
		parts = append(parts, fmt.Sprintf("tokens %d+%d", r.TokensIn, r.TokensOut))
	}
	return strings.Join(parts, " ")
}

func join(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p)
	}
	return b.String()
}

func shortDuration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func shortBytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%dB", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1fkB", float64(n)/1000)
	case n < 1000*1000*1000:
		return fmt.Sprintf("%.1fMB", float64(n)/1000/1000)
	}
	return fmt.Sprintf("%.1fGB", float64(n)/1000/1000/1000)
}
