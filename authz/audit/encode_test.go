package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var sameRecord = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

// lineOf is the line of one record at the start of a chain.
func lineOf(r *Record) []byte {
	var e encoder
	e.encode(r, strings.Repeat("ab", 16))
	var c chain
	return bytes.TrimSuffix(c.add(nil, e.b), []byte("\n"))
}

func TestLines(t *testing.T) {
	t.Parallel()
	r := typical()
	denied := typical()
	denied.Kind, denied.Verdict, denied.Code, denied.Retry = KindDeny, VerdictDeny, "no_rule", "never"
	denied.Reason, denied.Path, denied.Parent = `no rule allows "delete_repo"`, "/mcp?key=secret", hop(9)
	denied.Would = []Would{{Policy: "agents/draft", Rule: "r", Verdict: VerdictAllow}, {}}
	denied.RuleErrors = []RuleError{{Policy: "agents/p", Rule: "r", Error: "no such key: region"}}
	denied.Seen = []Field{{Name: "args.repo"}, {Name: "tctx", Value: []byte(" { \"a\" : [ 1, \"\u202e\\u202e\" ] }\n")}, {Name: "bad", Value: []byte("{")}}
	ended := end(1)
	ended.Time, ended.BytesIn, ended.BytesOut, ended.TokensIn, ended.TokensOut = r.Time, 1, 2, 3, 4
	ended.Status, ended.Detail = 200, "via_upstream"
	records := []Record{
		r, denied, ended,
		{Kind: KindBoot, Time: r.Time, Boot: &Boot{Clean: true, Version: "v1", Torn: 3, Lost: 2, Note: "n"}},
		{Kind: KindBoot, Time: r.Time, Boot: &Boot{}},
		{Kind: KindResume, Time: r.Time, Resume: &Resume{Since: r.Time, Refused: 3, Error: "disk full"}},
		{Kind: KindCheckpoint, Time: r.Time, Checkpoint: &Checkpoint{Why: whyCount, Key: "0123456789abcdef", Every: 10}},
		{Kind: KindRotate, Time: r.Time},
	}
	var b strings.Builder
	for i := range records {
		fmt.Fprintf(&b, "%s\n", lineOf(&records[i]))
	}
	golden(t, "lines.jsonl", b.String())
}

// TestEveryField fills every field of Record by reflection, so that one that
// is new cannot be forgotten in the encoder, and reads it back.
func TestEveryField(t *testing.T) {
	t.Parallel()
	var want Record
	fill(t, reflect.ValueOf(&want).Elem(), 1)
	want.Kind, want.Cut, want.Sig = KindBegin, nil, ""
	want.Seq, want.BootID, want.Prev = 1, strings.Repeat("ab", 16), strings.Repeat("0", 64)
	got, err := Decode(lineOf(&want))
	must(t, err)
	if diff := cmp.Diff(want, got, sameRecord); diff != "" {
		t.Error(diff)
	}
}

func fill(t *testing.T, v reflect.Value, n int64) {
	t.Helper()
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		return
	case *netip.AddrPort:
		*p = netip.MustParseAddrPort("[2001:db8::1]:443")
		return
	case *time.Duration:
		*p = 1500 * time.Microsecond
		return
	case *json.RawMessage:
		*p = json.RawMessage(`{"a":[1,"x"]}`)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n+int64(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n+1)
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(n) + uint64(i))
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(n)
	case reflect.Uint16, reflect.Uint64:
		v.SetUint(uint64(n))
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// TestLimits puts a megabyte into each text: no line is longer than one may
// be, and it says what was cut.
func TestLimits(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("\x00x", 1<<19)
	var all Record
	for f := range reflect.TypeFor[Record]().NumField() {
		field := reflect.TypeFor[Record]().Field(f)
		if field.Type.Kind() != reflect.String || slices.Contains([]string{"BootID", "Kind", "Prev", "Sig"}, field.Name) {
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			t.Parallel()
			r := Record{Kind: KindDeny}
			reflect.ValueOf(&r).Elem().Field(f).SetString(huge)
			oversized(t, &r, strings.Split(field.Tag.Get("json"), ",")[0])
		})
		reflect.ValueOf(&all).Elem().Field(f).SetString(huge)
	}
	all.Kind, all.BootID = Kind(huge), huge
	all.Actors, all.Backends = slices.Repeat([]string{huge}, 100), slices.Repeat([]string{huge}, 100)
	all.Would = slices.Repeat([]Would{{huge, huge, huge, Verdict(huge), huge}}, 100)
	all.RuleErrors = slices.Repeat([]RuleError{{huge, huge, huge}}, 100)
	all.Seen = slices.Repeat([]Field{{huge, []byte(huge), true}}, 100)
	all.Boot = &Boot{Version: huge, Note: huge}
	all.Resume = &Resume{Error: huge}
	all.Checkpoint = &Checkpoint{Why: huge, Key: huge}
	oversized(t, &all, "txn", "actors", "backends", "would", "rule_errors", "seen", "boot", "resume")
}

func oversized(t *testing.T, r *Record, cut ...string) {
	t.Helper()
	b := lineOf(r)
	if len(b) > maxLine {
		t.Errorf("a line of %d bytes", len(b))
	}
	got, err := Decode(b)
	must(t, err)
	for _, c := range cut {
		if !slices.Contains(got.Cut, c) {
			t.Errorf("%s is not said to be cut: %v", c, got.Cut)
		}
	}
}

func TestListLimits(t *testing.T) {
	t.Parallel()
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("agent-%04d", i)
	}
	seen := []Field{
		{Name: "args.small", Value: []byte(`1`)},
		{Name: "args.large", Value: []byte(`"` + strings.Repeat("x", 5000) + `"`)},
		{Name: "args.grows", Value: []byte(`"` + strings.Repeat("\u202e", 1300) + `"`)},
		{Name: "args.last", Value: []byte(`2`)},
	}
	got, err := Decode(lineOf(&Record{Kind: KindDeny, Actors: many, Seen: seen}))
	must(t, err)
	if n := len(got.Actors); n < 100 || n >= 1000 || got.Actors[n-1] != many[n-1] {
		t.Errorf("%d actors, the last %q", n, got.Actors[n-1])
	}
	want := []Field{{Name: "args.small", Value: []byte(`1`)}, {Name: "args.large", Cut: true}, {Name: "args.grows", Cut: true}, {Name: "args.last", Value: []byte(`2`)}}
	if diff := cmp.Diff(want, got.Seen); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"actors", "seen"}, got.Cut); diff != "" {
		t.Error(diff)
	}
}

// TestNotLogged holds what must never be in a line, wherever it was put.
func TestNotLogged(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJFUzI1NiIsInR5cCI6InR4bnRva2VuK2p3dCJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	tests := []struct {
		name string
		r    Record
		want string
	}{
		{"query of a path", Record{Path: "/a/b?secret=c2lnbmF0dXJl"}, `"path":"/a/b","cut":["path"]`},
		{"token in a path", Record{Path: "/a/" + jwt}, `"path":"/a/[token]","cut":["path"]`},
		{"query of a resource", Record{Name: "https://h/x?c2lnbmF0dXJl#y"}, `"name":"https://h/x","cut":["name"]`},
		{"fragment of a resource", Record{Name: "https://h/x#c2lnbmF0dXJl"}, `"name":"https://h/x","cut":["name"]`},
		{"password of a resource", Record{Name: "https://u:c2lnbmF0dXJl@h/x"}, `"name":"https://h/x","cut":["name"]`},
		{"password with an at sign", Record{Name: "https://u:c2l@c2lnbmF0dXJl@h"}, `"name":"https://h","cut":["name"]`},
		{"an at sign in a path", Record{Name: "https://h/@scope/x"}, `"name":"https://h/@scope/x"`},
		{"a tool with a question mark", Record{Name: "what?"}, `"name":"what?"`},
		{"token as a name", Record{Name: jwt}, `"name":"[token]","cut":["name"]`},
		{"token in a reason", Record{Reason: "bad token " + jwt}, `"reason":"bad token [token]","cut":["reason"]`},
		{"token as a request id", Record{RequestID: jwt}, `"request_id":"[token]","cut":["request_id"]`},
		{"token as an argument", Record{Seen: []Field{{Name: "args.t", Value: []byte(`["` + jwt + `"]`)}}}, `"seen":[{"name":"args.t","value":["[token]"]}],"cut":["seen"]`},
		{"token that is not JSON", Record{Seen: []Field{{Name: "args.t", Value: []byte(jwt)}}}, `"seen":[{"name":"args.t","value":"[token]"}],"cut":["seen"]`},
		{"zone of an address", Record{Source: netip.MustParseAddrPort("[fe80::1%x\n\"]:1")}, `"source":"[fe80::1]:1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.r.Kind = KindDeny
			b := string(lineOf(&tt.r))
			if strings.Contains(b, "c2lnbmF0dXJl") {
				t.Errorf("secret in %s", b)
			}
			if !strings.Contains(b, `"deny",`+tt.want+`,"prev"`) {
				t.Errorf("%s\nwant %s", b, tt.want)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Record{
		"largest":         {BytesIn: math.MaxInt64, TokensOut: math.MaxInt64, Duration: math.MaxInt64, Status: math.MaxInt32},
		"smallest":        {BytesIn: math.MinInt64, Duration: math.MinInt64, Status: -1},
		"a year too many": {Time: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)},
		"another zone":    {Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", -3600))},
	} {
		r.Kind = KindDeny
		b := lineOf(&r)
		if _, err := parseLine(b); err != nil {
			t.Errorf("%s: %v: %s", name, err, b)
		}
		got, err := Decode(b)
		if err != nil || got.Duration < 0 {
			t.Errorf("%s: %v, %v", name, got.Duration, err)
		}
	}
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	want := typical()
	want.Seq, want.BootID = 7, "boot"
	raw, err := json.Marshal(&want)
	must(t, err)
	got, err := Decode(raw)
	must(t, err)
	if diff := cmp.Diff(want, got, sameRecord); diff != "" {
		t.Error(diff)
	}
}

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		ok             bool
	}{
		{"object", ` { "a" : [ 1 , true , null , -2.5e3 ] } `, `{"a":[1,true,null,-2.5e3]}`, true},
		{"new lines", "[\n1,\r\n\t2]", `[1,2]`, true},
		{"hidden in a string", "\"a\u202eb\x7f\u2028\"", `"a\u202eb\u007f\u2028"`, true},
		{"escapes stay", `"\n\u202e\"\\\/"`, `"\n\u202e\"\\\/"`, true},
		{"an escaped quote does not end it", `"\"\u0041 "`, `"\"\u0041 "`, true},
		{"bad UTF-8", "\"\xff\"", `"\\xff"`, true},
		{"empty", "", "", false},
		{"two", "1 2", "", false},
		{"not closed", `{"a":1`, "", false},
		{"control in a string", "\"\n\"", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := appendJSON([]byte("<"), []byte(tt.in))
			if string(got) != "<"+tt.want || ok != tt.ok {
				t.Errorf("got %s %v, want <%s %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// FuzzRecord: any text in any field gives one line, which reads back as it
// went in wherever it was UTF-8 and was neither cut nor redacted.
func FuzzRecord(f *testing.F) {
	f.Add("name", "/path", "reason", `{"a":1}`, "txn", int64(1))
	f.Add("x\",\"verdict\":\"allow", "/\n{}", "\u202e\x00\xff", "{\"a\":\"\x7f\"}", "\r\n", int64(-1))
	f.Fuzz(func(t *testing.T, name, path, reason, value, txn string, n int64) {
		r := Record{
			Kind: KindDeny, Hop: hop(1), Txn: txn, Subject: name, Agent: reason, Actors: []string{path, txn}, Peer: path,
			Name: name, Host: txn, Path: path, Reason: reason, Code: name, RequestID: txn, Detail: path,
			Would: []Would{{Policy: name, Rule: path, Code: txn}}, RuleErrors: []RuleError{{Error: reason}},
			Seen: []Field{{Name: name, Value: []byte(value)}}, BytesIn: n, Duration: time.Duration(n), Time: time.Unix(n, 0),
		}
		b := lineOf(&r)
		if bytes.ContainsAny(b, "\n\r") || !harmless(string(b)) {
			t.Fatalf("%q", b)
		}
		if _, err := parseLine(b); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		for field, pair := range map[string][2]string{"txn": {txn, got.Txn}, "subject": {name, got.Subject}, "agent": {reason, got.Agent}} {
			if !slices.Contains(got.Cut, field) && utf8.ValidString(pair[0]) && pair[0] != pair[1] {
				t.Fatalf("%s: %q became %q", field, pair[0], pair[1])
			}
		}
		if json.Valid([]byte(value)) && !slices.Contains(got.Cut, "seen") && utf8.ValidString(value) {
			sameJSON(t, []byte(value), got.Seen[0].Value)
		}
	})
}

func sameJSON(t *testing.T, a, b []byte) {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil {
		return // a number out of range: valid JSON that no Go value holds
	}
	must(t, json.Unmarshal(b, &y))
	if !reflect.DeepEqual(x, y) {
		t.Fatalf("%q became %q", a, b)
	}
}
