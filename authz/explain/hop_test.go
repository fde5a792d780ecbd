package explain

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func TestReadHop(t *testing.T) {
	t.Parallel()
	got, err := ReadHop([]byte(`# a hop
gateway: agents/egress
listener: proxy
peer: spiffe://corp/a
token:
  domain: corp
  scopes: [a, b]
  context: {region: eu, level: 3, whole: 1.0, since: 2026-01-02, deep: {er: [true, null]}, "5": x}
  expiresIn: 90s
do: {surface: Tools, name: x, args: {"a": 9007199254740993, b: [1.5]}, port: 443, outputTokens: 5}
`))
	if err != nil {
		t.Fatal(err)
	}
	left := 90 * time.Second
	want := &Hop{
		Gateway: "agents/egress", Listener: "proxy", Peer: "spiffe://corp/a",
		Token: &Token{
			Domain: "corp", Scopes: []string{"a", "b"}, ExpiresIn: &left,
			Context: Object(`{"5":"x","deep":{"er":[true,null]},"level":3,"region":"eu","since":"2026-01-02","whole":1}`),
		},
		Do: Do{Surface: "Tools", Name: "x", Args: Object(`{"a":9007199254740993,"b":[1.5]}`), Port: 443, OutputTokens: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hop (-want +got):\n%s", diff)
	}
	if got, err := ReadHop([]byte(`{"do": {"name": "x"}}`)); err != nil || got.Do.Name != "x" {
		t.Errorf("JSON: %+v, %v", got, err)
	}
}

func TestReadHopRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"a field that is not known", "gateway: a/b\npeers: x\n", "line 2: there is no field peers"},
		{"one further in", "do:\n  name: x\n  arguments: {}\n", "line 3: there is no field arguments"},
		{"in another case", "Do: {}\n", "line 1: there is no field Do"},
		{"two of them", "a: 1\nb: 2\n", "line 1: there is no field a; line 2: there is no field b"},
		{"a field twice", "peer: a\npeer: b\n", `line 2: mapping key "peer" already defined at line 1`},
		{"of another type", "do:\n  port: http\n", "line 2: `http` (!!str) does not belong here"},
		{"a port that there is not", "do: {port: 65536}\n", "line 1: `65536` (!!int) does not belong here"},
		{"a list for an object", "do: {args: [1]}\n", "line 1: this is no JSON object"},
		{"a text for an object", "token:\n  context: eu\n", "line 2: this is no JSON object"},
		{"names that are no text", "do: {args: {1: x, true: y}}\n", "line 1: this is no JSON object"},
		{"a number that JSON does not have", "do: {args: {a: .nan}}\n", "line 1: this is no JSON object"},
		{"an argument twice", "do:\n  args:\n    a: 1\n    a: 2\n", `line 4: mapping key "a" already defined at line 3`},
		{"a text", "hop\n", "line 1: `hop` (!!str) does not belong here"},
		{"a list", "- do: {}\n", "line 1: (!!seq) does not belong here"},
		{"nothing", "", "there is nothing in it"},
		{"a comment", "# nothing\n", "there is nothing in it"},
		{"two documents", "do: {name: x}\n---\ndo: {name: y}\n", "a second document begins in it"},
		{"no YAML", "do: {name: x\n", "line"},
		{"a duration that is none", "token: {expiresIn: soon}\n", "line 1: `soon` (!!str) does not belong here"},
		{"too many aliases", "do: {args: {a: &a [x,x,x,x,x,x,x,x,x,x], b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a], c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b], d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d], f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e], g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]}}\n", "excessive aliasing"},
		{"noise", "\x00\x01\xff", "control characters are not allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadHop([]byte(tc.text))
			if err == nil || !strings.HasPrefix(err.Error(), "read hop: ") || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "explain.") {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

func FuzzReadHop(f *testing.F) {
	f.Add([]byte("route: a/b\ndo: {name: x, args: {a: [1, {b: null}]}}"))
	f.Add([]byte("token: {context: {a: 2026-01-02}}\n"))
	f.Add([]byte("do: {args: &a {a: *a}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := ReadHop(text)
		if err != nil {
			return
		}
		objects := []Object{h.Do.Args}
		if h.Token != nil {
			objects = append(objects, h.Token.Context)
		}
		for _, o := range objects {
			if len(o) > 0 && (!json.Valid(o) || o[0] != '{') {
				t.Fatalf("no object: %q", o)
			}
		}
	})
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	two := func(f *feedv1.Snapshot) {
		g := f.Gateways[0]
		g.Key = key("other")
		f.Gateways = append(f.Gateways, g)
	}
	proxies := func(f *feedv1.Snapshot) {
		f.Gateways[0].Listeners = append(f.Gateways[0].Listeners, feedv1.Listener{Name: "second", Protocol: v1alpha1.ProtocolProxy, Address: f.Gateways[0].Listeners[0].Address, Port: 3129})
	}
	none := func(f *feedv1.Snapshot) { f.Gateways[0].Listeners = f.Gateways[0].Listeners[:1] }
	for _, tc := range []struct {
		name   string
		change func(*feedv1.Snapshot)
		text   string
		want   string
	}{
		{name: "a Gateway that is not there", text: "gateway: agents/none\ndo: {host: a.example}", want: `find gateway "agents/none" (there is agents/egress)`},
		{name: "none named of two", change: two, text: "do: {host: a.example}", want: `find gateway "" (there is agents/egress, agents/other)`},
		{name: "a listener that is not there", text: "listener: none\ndo: {host: a.example}", want: `find listener "none" of agents/egress (has agents, proxy)`},
		{name: "a listener that is no proxy", text: "listener: agents\ndo: {host: a.example}", want: "it is no proxy: name the route"},
		{name: "one of two proxies", change: proxies, text: "do: {host: a.example}", want: "there is more than one proxy"},
		{name: "no proxy", change: none, text: "do: {host: a.example}", want: `find listener ""`},
		{name: "a route that is not there", text: "route: agents/none\ndo: {}", want: `find route "agents/none"`},
		{name: "a route of another listener", text: "route: agents/tools\nlistener: proxy\ndo: {}", want: `find route "agents/tools"`},
		{name: "a route of another Gateway", text: "route: agents/tools\ngateway: agents/other\ndo: {}", want: `find route "agents/tools"`},
		{name: "a rule that is not there", text: "route: agents/tools\nrule: third\ndo: {}", want: `find rule "third" of route agents/tools (has #0, second)`},
		{name: "a trust domain that is not believed", text: "token: {domain: other}\ndo: {host: a.example}", want: `find trust domain "other"`},
		{name: "a surface that is not there", text: "route: agents/tools\ndo: {surface: Agents}", want: `read do.surface: "Agents"`},
		{name: "no host", text: "do: {surface: Hosts}", want: "read do.host: there is none"},
		{name: "a host that is none", text: "do: {host: 'a b'}", want: "read do.host: the host must be ASCII"},
		{name: "a port twice, and differently", text: "do: {host: 'a.example:80', port: 81}", want: "it names port 80, and do.port 81"},
		{name: "a path that is none", text: "do: {surface: HTTP, host: a.example, path: /a/../b}", want: "read do.path: the path must not hold dot segments"},
		{name: "arguments that are too deep", text: "route: agents/tools\ndo: {args: {a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}}", want: "read do.args"},
		{name: "a context that is too deep", text: "route: agents/tools\ntoken: {context: {a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}}\ndo: {}", want: "read token.context"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := feed(t)
			if tc.change != nil {
				tc.change(f)
			}
			h, err := ReadHop([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = configOf(t, f).Resolve(h); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
			if strings.HasPrefix(tc.want, "find") && !strings.Contains(tc.want, "proxy:") && !errors.Is(err, ErrUnknown) {
				t.Errorf("%v is no ErrUnknown", err)
			}
		})
	}
}

// TestATargetOfAnotherTime: routes and feed that do not fit are an error.
func TestATargetOfAnotherTime(t *testing.T) {
	t.Parallel()
	c := configOf(t, feed(t))
	c.Targets[0].Listener = "gone"
	if _, err := c.Resolve(&Hop{Route: "agents/tools"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v", err)
	}
}

func TestResolveFillsIn(t *testing.T) {
	t.Parallel()
	c := configOf(t, feed(t))
	for _, tc := range []struct {
		text                 string
		kind, method, host   string
		port                 uint16
		base, onRoute, token bool
	}{
		{"do: {host: API.example.}", "Hosts", "CONNECT", "api.example", 443, false, false, false},
		{"do: {host: 'api.example:8443'}", "Hosts", "CONNECT", "api.example", 8443, false, false, false},
		{"do: {host: '2606:4700::1', port: 80}", "Hosts", "CONNECT", "2606:4700::1", 80, false, false, false},
		{"do: {surface: HTTP, host: api.example}", "HTTP", "GET", "api.example", 80, false, false, false},
		{"route: agents/tools\ndo: {}", "Tools", "tools/call", "", 8080, false, true, false},
		{"route: agents/tools\ndo: {method: tools/list, host: 'tools.example:1'}", "Tools", "tools/list", "tools.example", 8080, true, true, false},
		{"route: agents/tools\nrule: second\ntoken: {}\ndo: {}", "HTTP", "GET", "", 8080, false, true, true},
		{"route: agents/models\ndo: {}", "Models", "chat", "", 8080, false, true, false},
	} {
		h, err := ReadHop([]byte(tc.text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Resolve(h)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		a := got.Action
		if string(a.Kind) != tc.kind || a.Method != tc.method || a.Host != tc.host || a.Port != tc.port || a.Base != tc.base || a.OnRoute != tc.onRoute || (got.Claims != nil) != tc.token {
			t.Errorf("%s: %+v", tc.text, a)
		}
		if tc.token && (got.Claims.Domain != key("corp") || !got.Claims.ExpiresAt.Equal(now().Add(time.Hour)) || got.Claims.Actors != nil) {
			t.Errorf("%s: claims %+v", tc.text, got.Claims)
		}
	}
}

// TestContextIsReadAsATokens: whole numbers are whole.
func TestContextIsReadAsATokens(t *testing.T) {
	t.Parallel()
	h, err := ReadHop([]byte("route: agents/tools\ntoken: {agent: a, context: {n: 3, f: 1.5, s: x, l: [1], o: {p: true}}}\ndo: {}"))
	if err != nil {
		t.Fatal(err)
	}
	hop, err := configOf(t, feed(t)).Resolve(h)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"n": int64(3), "f": 1.5, "s": "x", "l": []any{int64(1)}, "o": map[string]any{"p": true}}
	if diff := cmp.Diff(want, hop.Claims.Context); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if !cmp.Equal(hop.Claims.Actors, []string{"a"}) {
		t.Errorf("actors %v", hop.Claims.Actors)
	}
}

func TestFromRecord(t *testing.T) {
	t.Parallel()
	field := func(name, value string) audit.Field { return audit.Field{Name: name, Value: json.RawMessage(value)} }
	r := &audit.Record{
		Kind: audit.KindBegin, Time: now(), Expires: now().Add(time.Minute), Gateway: "agents/egress", Listener: "agents", Route: "agents/tools", RouteRule: "#0",
		Peer: "spiffe://corp/a", Domain: "agents/corp", Subject: "bob", Agent: "researcher", Txn: "t",
		Surface: "Models", Method: "chat", Name: "gpt-5", Host: "llm.example", Port: 8080, Path: "/v1",
		Seen: []audit.Field{
			field("agent", `"researcher"`), field("args", `{"z":1}`), field("args.a.b", `[1]`), field("args.gone", ""), field("scopes", `["x"]`),
			field("tctx.a", `{"k":1}`), field("tctx.a.b.c", `2`), field("tctx.d", `"e"`), field(audit.FieldOutputTokens, "7"), field(audit.FieldRequestBytes, "99"),
		},
	}
	r.Seen[3].Value = nil
	got, err := FromRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	minute := time.Minute
	want := &Hop{
		Gateway: "agents/egress", Listener: "agents", Route: "agents/tools", Rule: "#0", Peer: "spiffe://corp/a",
		Token: &Token{Domain: "agents/corp", Subject: "bob", Agent: "researcher", Txn: "t", Scopes: []string{"x"}, Context: Object(`{"a":{"b":{"c":2},"k":1},"d":"e"}`), ExpiresIn: &minute},
		Do:    Do{Surface: "Models", Method: "chat", Name: "gpt-5", Args: Object(`{"a.b":[1],"z":1}`), Host: "llm.example", Port: 8080, Path: "/v1", OutputTokens: 7, RequestBytes: 99},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hop (-want +got):\n%s", diff)
	}
	whole, err := FromRecord(&audit.Record{Kind: audit.KindBegin, Domain: "agents/corp", Seen: []audit.Field{field("tctx", `{"a":1}`), field("scopes", `[]`)}})
	if err != nil || string(whole.Token.Context) != `{"a":1}` {
		t.Errorf("context %+v, %v", whole, err)
	}
	// Without a token what was read of one was not there.
	bare, err := FromRecord(&audit.Record{Kind: audit.KindDeny, Code: "unmatched", Seen: []audit.Field{field("scopes", `["x"]`), field("tctx.a", "1")}})
	if err != nil || bare.Token != nil || bare.Do.Args != nil {
		t.Errorf("hop %+v, %v", bare, err)
	}
}

func TestFromRecordRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		r    audit.Record
		want string
	}{
		{"an end", audit.Record{Kind: audit.KindEnd}, "a line of kind end is no decision"},
		{"a checkpoint", audit.Record{Kind: audit.KindCheckpoint}, "is no decision"},
		{"denied before rules", audit.Record{Kind: audit.KindDeny, Code: "token_expired", Reason: "why"}, "before any rule was asked: token_expired: why"},
		{"a value that was cut", audit.Record{Kind: audit.KindBegin, Seen: []audit.Field{{Name: "args.q", Cut: true}}}, "args.q was too long to be recorded"},
		{"a field that was cut", audit.Record{Kind: audit.KindBegin, Cut: []string{"reason", "path"}}, "its path was too long"},
		{"scopes that are none", audit.Record{Kind: audit.KindBegin, Domain: "a/b", Seen: []audit.Field{{Name: "scopes", Value: json.RawMessage("1")}}}, "scopes: json:"},
		{"a context that is none", audit.Record{Kind: audit.KindBegin, Domain: "a/b", Seen: []audit.Field{{Name: "tctx", Value: json.RawMessage("1")}}}, "tctx: json:"},
		{"a way through a number", audit.Record{Kind: audit.KindBegin, Domain: "a/b", Seen: []audit.Field{{Name: "tctx.a", Value: json.RawMessage("1")}, {Name: "tctx.a.b", Value: json.RawMessage("1")}}}, "tctx.a.b: json:"},
		{"arguments that are none", audit.Record{Kind: audit.KindBegin, Seen: []audit.Field{{Name: "args", Value: json.RawMessage("[]")}}}, "args: json:"},
		{"a value that is no JSON", audit.Record{Kind: audit.KindBegin, Seen: []audit.Field{{Name: "args.a", Value: json.RawMessage("{")}}}, "json:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := FromRecord(&tc.r); err == nil || !strings.HasPrefix(err.Error(), "read record: ") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
	if _, err := FromRecord(&audit.Record{Kind: audit.KindBegin, Cut: []string{"reason"}}); err != nil {
		t.Errorf("a reason that was cut: %v", err)
	}
}

// TestARejectedPolicyTellsWhy.
func TestARejectedPolicyTellsWhy(t *testing.T) {
	t.Parallel()
	f := feed(t)
	f.Policies[1].Rejected = "its selector is broken"
	e := told(t, configOf(t, f), "route: agents/tools\ntoken: {agent: researcher}\ndo: {name: read}")
	if e.Code != "policy_rejected" || !strings.Contains(e.Text, "its selector is broken") || e.By != "agents/route/" {
		t.Errorf("%+v", e)
	}
}
