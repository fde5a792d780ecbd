package check

import (
	"errors"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// part is some bytes of a message.
type part []byte

func message(num protowire.Number, parts ...part) part {
	var in []byte
	for _, p := range parts {
		in = append(in, p...)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), in)
}

func text(num protowire.Number, s string) part { return message(num, part(s)) }

func number(num protowire.Number, n uint64) part {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), n)
}

func fixed64(num protowire.Number, n uint64) part {
	return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), n)
}

func fixed32(num protowire.Number, n uint32) part {
	return protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), n)
}

// Messages by their names.
func attributes(parts ...part) part { return message(1, parts...) }
func sourceOf(parts ...part) part   { return message(1, parts...) }
func httpOf(parts ...part) part     { return message(4, message(2, parts...)) }
func headersOf(parts ...part) part  { return message(13, parts...) }
func headerOf(parts ...part) part   { return message(1, parts...) }
func extension(parts ...part) part  { return message(10, parts...) }

// raw is the map of headers that Envoy always sends, here without any.
func raw() part { return httpOf(headersOf()) }

func TestReadMerges(t *testing.T) {
	t.Parallel()
	one := surface.One
	for _, tc := range []struct {
		name  string
		parts []part
		want  func(*Request)
	}{
		{"attributes twice", []part{attributes(raw()), attributes(httpOf(text(2, "GET")))}, func(r *Request) { r.Method = "GET" }},
		{"http twice", []part{attributes(message(4, message(2, text(2, "GET"), headersOf()), message(2, text(4, "/x"))))}, func(r *Request) { r.Method, r.Path = "GET", "/x" }},
		{"request twice", []part{attributes(httpOf(text(2, "GET"), headersOf()), httpOf(text(2, "PUT")))}, func(r *Request) { r.Method = "PUT" }},
		{"a text twice", []part{attributes(httpOf(text(4, "/a"), text(4, "/b"), headersOf()))}, func(r *Request) { r.Path = "/b" }},
		{"a text, and then an empty one", []part{attributes(httpOf(text(4, "/a"), text(4, ""), headersOf()))}, func(*Request) {}},
		{"a body twice", []part{attributes(httpOf(text(12, "long"), text(12, "b"), headersOf()))}, func(r *Request) { r.Body = []byte("b") }},
		{"an entry twice", []part{attributes(raw(), extension(text(1, "target"), text(2, "a")), extension(text(1, "target"), text(2, "b")))}, func(r *Request) { r.Target = "b" }},
		{"an entry, and then one without a value", []part{attributes(raw(), extension(text(1, "target"), text(2, "a")), extension(text(1, "target")))}, func(*Request) {}},
		{"an entry's key twice", []part{attributes(raw(), extension(text(1, "target"), text(2, "a"), text(1, "other")))}, func(*Request) {}},
		{"an entry's value first", []part{attributes(raw(), extension(text(2, "a"), text(1, "target")))}, func(r *Request) { r.Target = "a" }},
		{"an entry with another key", []part{attributes(raw(), extension(text(1, "Target"), text(2, "a")))}, func(*Request) {}},
		{
			"headers twice",
			[]part{attributes(httpOf(headersOf(headerOf(text(1, "txn-token"), text(3, "a"))), headersOf(headerOf(text(1, "txn-token"), text(3, "b")))))},
			func(r *Request) { r.Headers[HeaderTxnToken] = surface.Field{Value: "b", Count: 2} },
		},
		{
			"a header twice",
			[]part{attributes(httpOf(headersOf(headerOf(text(1, "txn-token"), text(3, "a")), headerOf(text(1, "txn-token"), text(3, "")))))},
			func(r *Request) { r.Headers[HeaderTxnToken] = surface.Field{Value: "", Count: 2} },
		},
		{
			"a header's key twice",
			[]part{attributes(httpOf(headersOf(headerOf(text(1, "txn-token"), text(3, "a"), text(1, "upgrade")))))},
			func(r *Request) { r.Headers[HeaderUpgrade] = one("a") },
		},
		{"a header's value in the other form", []part{attributes(httpOf(headersOf(headerOf(text(1, "txn-token"), text(2, "a")))))}, func(r *Request) { r.Headers[HeaderTxnToken] = one("a") }},
		{"a header's value in both forms, the same", []part{attributes(httpOf(headersOf(headerOf(text(1, "txn-token"), text(2, "a"), text(3, "a")))))}, func(r *Request) { r.Headers[HeaderTxnToken] = one("a") }},
		{"a header's value, and then an empty one", []part{attributes(httpOf(headersOf(headerOf(text(1, "txn-token"), text(3, "a"), text(3, "")))))}, func(r *Request) { r.Headers[HeaderTxnToken] = one("") }},
		{"a header without a key", []part{attributes(httpOf(headersOf(headerOf(text(3, "a")))))}, func(*Request) {}},
		{"a header that the guard does not read", []part{attributes(httpOf(headersOf(headerOf(text(1, "x-other"), text(3, "a")))))}, func(*Request) {}},
		{
			"what is not UTF-8 stays what it is",
			[]part{attributes(httpOf(text(4, "/\xff"), headersOf(headerOf(text(1, "txn-token"), text(3, "\xfe")))))},
			func(r *Request) { r.Path, r.Headers[HeaderTxnToken] = "/\xff", one("\xfe") },
		},

		{"source twice", []part{attributes(raw(), sourceOf(text(4, "a"), text(5, "b")), sourceOf(text(4, "c")))}, func(r *Request) { r.Source.Principal, r.Source.Certificate = "c", "b" }},
		{
			"a socket address twice",
			[]part{attributes(raw(), sourceOf(message(1, message(1, text(2, "192.0.2.1")), message(1, number(3, 80)))))},
			func(r *Request) { r.Source.Address, r.Source.Port = "192.0.2.1", 80 },
		},
		{
			"an address twice",
			[]part{attributes(raw(), sourceOf(message(1, message(1, text(2, "192.0.2.1"))), message(1, message(1, number(3, 80)))))},
			func(r *Request) { r.Source.Address, r.Source.Port = "192.0.2.1", 80 },
		},
		{"a socket address, and then a pipe", []part{attributes(raw(), sourceOf(message(1, message(1, text(2, "192.0.2.1"), number(3, 80)), message(2, text(1, "/run/x")))))}, func(*Request) {}},
		{
			"a pipe, and then a socket address",
			[]part{attributes(raw(), sourceOf(message(1, message(2, text(1, "/run/x")), message(1, text(2, "192.0.2.1")))))},
			func(r *Request) { r.Source.Address = "192.0.2.1" },
		},
		{
			"a port, and then its name",
			[]part{attributes(raw(), sourceOf(message(1, message(1, text(2, "192.0.2.1"), number(3, 80), text(4, "http")))))},
			func(r *Request) { r.Source.Address = "192.0.2.1" },
		},
		{"a port's name, and then a port", []part{attributes(raw(), sourceOf(message(1, message(1, text(4, "http"), number(3, 80)))))}, func(r *Request) { r.Source.Port = 80 }},
		{"a port of more than 32 bits", []part{attributes(raw(), sourceOf(message(1, message(1, number(3, 1<<32+80)))))}, func(r *Request) { r.Source.Port = 80 }},

		{"fields that are not known", []part{number(9, 1), attributes(raw(), fixed64(99, 1), fixed32(98, 1), text(97, "x"), sourceOf(number(77, 1))), text(1000, "x")}, func(*Request) {}},
		{"no headers", []part{attributes(raw())}, func(*Request) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := join(tc.parts)
			want := Request{http: true, raw: true}
			tc.want(&want)
			var got Request
			if err := got.Read(b); err != nil {
				t.Fatal(err)
			}
			m := new(authv3.CheckRequest)
			whole := proto.Unmarshal(b, m) == nil
			if whole {
				holdWords(t, m, &got)
			}
			got.lines = nil
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(Request{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("view (-want +got):\n%s", diff)
			}
			if whole {
				if diff := cmp.Diff(viewOf(m), got, cmp.AllowUnexported(Request{}), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("view differs from proto.Unmarshal (-proto +view):\n%s", diff)
				}
			}
		})
	}
}

func join(parts []part) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	good := attributes(raw())
	group := part(protowire.AppendTag(protowire.AppendTag(nil, 20, protowire.StartGroupType), 20, protowire.EndGroupType))
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"no header map", attributes(httpOf(text(2, "GET"))), errNotRaw},
		{"headers that are joined", attributes(httpOf(headersOf(), message(3, text(1, "txn-token"), text(2, "a")))), errNotRaw},
		{"headers that are joined, alone", attributes(httpOf(message(3, text(1, "txn-token"), text(2, "a")))), errNotRaw},
		{"a body that is mended", attributes(httpOf(headersOf(), text(11, "x"))), errNotRaw},
		{"a body in both forms", attributes(httpOf(headersOf(), text(12, "x"), text(11, "x"))), errNotRaw},
		{"a header that says two things", attributes(httpOf(headersOf(headerOf(text(1, "txn-token"), text(2, "a"), text(3, "b"))))), errWire},
		{"and one that the guard does not read", attributes(httpOf(headersOf(headerOf(text(1, "x"), text(2, "a"), text(3, "b"))))), errWire},

		{"attributes as a number", join([]part{good, number(1, 1)}), errWire},
		{"source as a number", attributes(raw(), number(1, 1)), errWire},
		{"address as a number", attributes(raw(), sourceOf(number(1, 1))), errWire},
		{"a socket address as a number", attributes(raw(), sourceOf(message(1, number(1, 1)))), errWire},
		{"a pipe as a number", attributes(raw(), sourceOf(message(1, number(2, 1)))), errWire},
		{"an address' text as a number", attributes(raw(), sourceOf(message(1, message(1, number(2, 1))))), errWire},
		{"a port as text", attributes(raw(), sourceOf(message(1, message(1, text(3, "80"))))), errWire},
		{"a port as 4 bytes", attributes(raw(), sourceOf(message(1, message(1, fixed32(3, 80))))), errWire},
		{"a port's name as a number", attributes(raw(), sourceOf(message(1, message(1, number(4, 80))))), errWire},
		{"a principal as a number", attributes(raw(), sourceOf(number(4, 1))), errWire},
		{"a certificate as a number", attributes(raw(), sourceOf(number(5, 1))), errWire},
		{"request as a number", attributes(raw(), number(4, 1)), errWire},
		{"http as a number", attributes(raw(), message(4, number(2, 1))), errWire},
		{"a method as a number", attributes(raw(), httpOf(number(2, 1))), errWire},
		{"a path as 8 bytes", attributes(raw(), httpOf(fixed64(4, 1))), errWire},
		{"a host as a number", attributes(raw(), httpOf(number(5, 1))), errWire},
		{"a protocol as a number", attributes(raw(), httpOf(number(10, 1))), errWire},
		{"a body as a number", attributes(raw(), httpOf(number(12, 1))), errWire},
		{"headers as a number", attributes(httpOf(number(13, 1))), errWire},
		{"a header as a number", attributes(httpOf(headersOf(number(1, 1)))), errWire},
		{"a header's key as a number", attributes(httpOf(headersOf(headerOf(number(1, 1))))), errWire},
		{"a header's value as a number", attributes(httpOf(headersOf(headerOf(number(2, 1))))), errWire},
		{"a header's raw value as a number", attributes(httpOf(headersOf(headerOf(number(3, 1))))), errWire},
		{"an entry as a number", attributes(raw(), number(10, 1)), errWire},
		{"an entry's key as a number", attributes(raw(), extension(number(1, 1))), errWire},
		{"an entry's value as a number", attributes(raw(), extension(number(2, 1))), errWire},

		{"a group", attributes(raw(), group), errWire},
		{"an end of no group", attributes(raw(), part(protowire.AppendTag(nil, 20, protowire.EndGroupType))), errWire},
		{"a field without a number", attributes(raw(), part{0x02}), errWire},
		{"a type that there is not", attributes(raw(), part{0x0e}), errWire},
		{"half a tag", attributes(raw(), part{0x80}), errWire},
		{"more than there is", join([]part{good, {0x0a, 0x05, 0x00}}), errWire},
		{"a length of more than there can be", join([]part{good, {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}}), errWire},
		{"a number that does not end", attributes(raw(), part{0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), errWire},
		{"half of 4 bytes", attributes(raw(), fixed32(20, 1)[:4]), errWire},
		{"half of 8 bytes", attributes(raw(), fixed64(20, 1)[:7]), errWire},
		{"text", []byte("GET / HTTP/1.1\r\n\r\n"), errWire},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r Request
			if err := r.Read(tc.b); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

// TestReadForgets: a Request is used again and again.
func TestReadForgets(t *testing.T) {
	t.Parallel()
	full := asking{
		target: toolTarget(), method: "POST", path: "/mcp", body: "{}", principal: spiffe, certificate: "pem",
	}.bearing(goodToken)
	var r Request
	if err := r.Read(full.bytes(t)); err != nil {
		t.Fatal(err)
	}
	if err := r.Read(attributes(raw())); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Request{http: true, raw: true}, r, cmp.AllowUnexported(Request{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("something is left (-want +got):\n%s", diff)
	}
	if err := r.Read(attributes(httpOf(text(2, "GET")))); err == nil {
		t.Error("what was raw once is raw for ever")
	}
}

// TestEveryHeaderIsKnown: each name has an id of its own.
func TestEveryHeaderIsKnown(t *testing.T) {
	t.Parallel()
	seen := map[HeaderID]bool{}
	for _, name := range headerNames() {
		id, ok := headerID(name)
		if !ok || seen[id] || id >= headerCount {
			t.Errorf("%s has id %d, %v", name, id, ok)
		}
		seen[id] = true
		if _, ok := headerID(strings.ToUpper(name)); ok {
			t.Errorf("%s is known in upper case: Envoy writes all names in lower case", name)
		}
	}
	if len(seen) != int(headerCount) {
		t.Errorf("%d names, %d ids", len(seen), headerCount)
	}
}

func headerNames() []string {
	return []string{
		"txn-token", "proxy-authorization", "authorization", "content-type", "content-encoding", "content-length",
		wire.HeaderFraming, "mcp-method", "mcp-name", "mcp-protocol-version", "upgrade", "x-envoy-auth-partial-body",
		"x-http-method-override", "x-rewrite-url",
	}
}

// viewOf is the view that a decoded message has. It is written by the words
// of the API, and knows nothing of bytes.
func viewOf(m *authv3.CheckRequest) Request {
	a := m.GetAttributes()
	h := a.GetRequest().GetHttp()
	r := Request{
		Method: h.GetMethod(), Path: h.GetPath(), Host: h.GetHost(), Protocol: h.GetProtocol(),
		Target: a.GetContextExtensions()[wire.ContextTarget], raw: h != nil, http: h != nil,
		Source: Peer{
			Address:   a.GetSource().GetAddress().GetSocketAddress().GetAddress(),
			Port:      a.GetSource().GetAddress().GetSocketAddress().GetPortValue(),
			Principal: a.GetSource().GetPrincipal(), Certificate: a.GetSource().GetCertificate(),
		},
	}
	if len(h.GetRawBody()) > 0 {
		r.Body = h.GetRawBody()
	}
	for _, v := range h.GetHeaderMap().GetHeaders() {
		if id, ok := headerID(v.GetKey()); ok {
			r.Headers[id].Add(valueOf(v))
		}
	}
	return r
}

// valueOf is what Envoy's own HeaderUtility takes of a header's two forms.
func valueOf(v *corev3.HeaderValue) string {
	if len(v.GetRawValue()) > 0 {
		return string(v.GetRawValue())
	}
	return v.GetValue()
}

// unseen reports whether a message says something that no view tells: then
// Read must refuse it.
func unseen(m *authv3.CheckRequest) bool {
	h := m.GetAttributes().GetRequest().GetHttp()
	for _, v := range h.GetHeaderMap().GetHeaders() {
		if v.GetValue() != "" && len(v.GetRawValue()) > 0 && v.GetValue() != string(v.GetRawValue()) {
			return true
		}
	}
	return h != nil && h.GetHeaderMap() == nil || len(h.GetHeaders()) > 0 || h.GetBody() != ""
}
