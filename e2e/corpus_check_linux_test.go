package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/hopgate/hopgate/authz/guard"
	places "github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testcorpus"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// decider is a guard that is asked without an Envoy, and decides by the same
// objects, keys and servers of names as the gateway.
type decider struct {
	t    testing.TB
	conn *grpc.ClientConn
}

// everyLeaf has certificates for every name.
type everyLeaf struct{}

func (everyLeaf) Approve(string) (func(), error) { return func() {}, nil }

func newDecider(t testing.TB, g *testgateway.Gateway, roots string) *decider {
	t.Helper()
	review, err := laptop.Look([]string{g.Files}, g.State, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := testenv.ShortDir(t)
	gd, err := guard.New(guard.Config{
		AuditPath: filepath.Join(dir, "audit.jsonl"), AuditKey: key, Version: "test", TrustedCA: roots, Leaves: everyLeaf{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "g.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(gd.ServerOptions()...)
	gd.Register(s)
	d := &decider{t: t}
	if d.conn, err = grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	go func() { ran <- gd.Run(ctx, s.Stop) }()
	t.Cleanup(func() {
		d.conn.Close()
		cancel()
		<-ran
		<-served
	})
	if err := gd.ApplyFeed(review.Feed); err != nil {
		t.Fatal(err)
	}
	return d
}

// hopAsked is a request as Envoy tells of it.
type hopAsked struct {
	entry              wire.Entry
	method, host, path string
	protocol           string
	headers            [][2]string
	body               string
	parent, target     string
}

// ask puts the question, and gives the hop's id; empty: it is denied, for the
// reason that is said.
func (d *decider) ask(f *fixture, h hopAsked) (hop, said string) {
	d.t.Helper()
	target := wire.Target{Entry: h.entry, Surface: "HTTP"}
	if h.entry == wire.EntryProxy {
		target = wire.Target{Entry: h.entry, Gateway: f.exit.namespace() + "/" + f.exit.name, Listener: "proxy"}
	}
	raw := &corev3.HeaderMap{}
	for _, kv := range h.headers {
		raw.Headers = append(raw.Headers, &corev3.HeaderValue{Key: strings.ToLower(kv[0]), RawValue: []byte(kv[1])})
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	if h.parent != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, wire.CallParent, h.parent, wire.CallTarget, h.target)
	}
	res, err := authv3.NewAuthorizationClient(d.conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		ContextExtensions: map[string]string{wire.ContextTarget: target.String()},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: h.method, Host: h.host, Path: h.path, Scheme: "http", Protocol: h.protocol, RawBody: []byte(h.body), HeaderMap: raw,
		}},
	}})
	if err != nil {
		d.t.Fatal(err)
	}
	if no := res.GetDeniedResponse(); no != nil {
		return "", answer{body: no.GetBody()}.code()
	}
	return res.GetDynamicMetadata().GetFields()[wire.MetaHopID].GetStringValue(), ""
}

// hold opens the hold of a hop, as Envoy does for one that was allowed; release
// ends it.
func (d *decider) hold(hop string) (release func()) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	s, err := procv3.NewExternalProcessorClient(d.conn).Process(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	meta := &structpb.Struct{Fields: map[string]*structpb.Value{wire.MetaHopID: structpb.NewStringValue(hop)}}
	if err := s.Send(&procv3.ProcessingRequest{
		Request:         &procv3.ProcessingRequest_RequestHeaders{RequestHeaders: &procv3.HttpHeaders{}},
		MetadataContext: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{wire.AuthzNamespace: meta}},
		ProtocolConfig:  &procv3.ProtocolConfiguration{},
	}); err != nil {
		d.t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		d.t.Fatal(err)
	}
	return cancel
}

// decide decides a row: the verdict, or none, and why.
func (d *decider) decide(r *testcorpus.Row, f *fixture, token string) (verdict, note string) {
	if why := unseen(r); why != "" {
		return "", why
	}
	auth := [2]string{"proxy-authorization", strings.TrimSpace(strings.TrimPrefix(proxyAuth(token), "Proxy-Authorization: "))}
	if r.Client == testcorpus.Absolute {
		h := requestTo(r.Target, auth)
		if h == nil {
			return "", "Envoy takes no such request"
		}
		h.method = r.Method()
		return d.verdict(f, *h)
	}
	out := hopAsked{entry: wire.EntryProxy, method: "CONNECT", host: r.Target, protocol: "HTTP/1.1", headers: [][2]string{auth}}
	hop, code := d.ask(f, out)
	if hop == "" {
		return testcorpus.Deny, code
	}
	if f.tls != tlsInspect {
		return testcorpus.Allow, ""
	}
	release := d.hold(hop)
	defer release()
	to, err := places.ParseTarget(r.Target)
	if err != nil {
		d.t.Fatalf("%s: allowed, and no target: %v", r.ID, err)
	}
	if r.SNI != "" && !strings.EqualFold(r.SNI, to.Host) {
		return "", "the name in TLS is Envoy's to compare"
	}
	return d.verdict(f, insideOf(r, hop, to.String()))
}

func (d *decider) verdict(f *fixture, h hopAsked) (verdict, note string) {
	hop, code := d.ask(f, h)
	if hop == "" {
		return testcorpus.Deny, code
	}
	return testcorpus.Allow, ""
}

// insideOf is the request in a tunnel.
func insideOf(r *testcorpus.Row, parent, target string) hopAsked {
	s := &r.Setup
	h := hopAsked{
		entry: wire.EntryInspected, method: r.Method(), host: r.Authority(), path: r.Path, protocol: "HTTP/1.1", headers: s.Headers, parent: parent, target: target,
	}
	if s.PseudoPath != "" {
		h.path = s.PseudoPath
	}
	if s.H2 {
		h.protocol = "HTTP/2"
	}
	if s.Upgrade != "" {
		h.headers = append(slices.Clip(h.headers), [2]string{"upgrade", s.Upgrade})
	}
	return h
}

// requestTo is a request by a proxy as Envoy tells of it; nil: it refuses it
// by itself, or takes it for another kind of request.
func requestTo(target string, auth [2]string) *hopAsked {
	const scheme = "http://"
	if len(target) < len(scheme) || !strings.EqualFold(target[:len(scheme)], scheme) {
		return nil
	}
	host, path := target[len(scheme):], "/"
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host, path = host[:i], host[i:]
	}
	if host == "" || strings.Contains(path, "#") {
		return nil
	}
	return &hopAsked{entry: wire.EntryProxy, method: "GET", host: host, path: path, protocol: "HTTP/1.1", headers: [][2]string{auth}}
}

// unseen says why a Check cannot tell what the row is about; empty: it can.
func unseen(r *testcorpus.Row) string {
	s := &r.Setup
	switch {
	case r.Client == testcorpus.TLS || r.Client == testcorpus.HTTP:
		return "redirected traffic enters by Envoy"
	case r.Client == testcorpus.DNS:
		return "a query is no hop"
	case s.RawRequest != "" || s.EarlyData || len(s.Pipelined) > 0:
		return "about bytes that Envoy alone sees"
	case s.BytesUp > 0:
		return "about bytes that come after the question"
	case s.Seen > 0:
		return "about hops that came before"
	case s.Transport != "":
		return "no request of HTTP"
	case changes(r) || s.Tunnel != "":
		return "about what happens later: e2e and authz/guard have that"
	case s.FirstBytes != nil || s.MaxVersion != "" || len(s.SNIList) > 0 || s.ECH || s.HelloBytes+s.TLSRecords+s.Segments > 0:
		return "about bytes inside a tunnel"
	case s.CertSAN != "" || s.Cert != "":
		return "about the destination's certificate"
	case s.Status != 0 || s.Follow != "":
		return "about what a client does with an answer"
	case len(s.DNSSequence) > 0:
		return "about a later look-up"
	case surfaced(r) || withKey(r):
		return "a surface is chosen by Envoy's routes"
	case strings.ContainsFunc(r.Method(), func(c rune) bool { return c <= ' ' }):
		return "no method that Envoy takes"
	case s.PseudoScheme != "":
		return "the scheme is Envoy's to check"
	}
	return unseenHeaders(r)
}

// unseenHeaders says the same of headers: those that Envoy removes, or that
// stand for something else.
func unseenHeaders(r *testcorpus.Row) string {
	if r.Client == testcorpus.Absolute && (r.Setup.OmitHost || len(r.Setup.Headers) > 0 || r.Host != hostOf(r.Target)) {
		return "Envoy puts the target's host over any Host"
	}
	for _, h := range r.Setup.Headers {
		switch name := strings.ToLower(h[0]); {
		case name == "host":
			return "about which Host counts"
		case r.Setup.H2 && !inHTTP2(name):
			return "Envoy refuses the header in HTTP/2"
		case strings.HasPrefix(name, "x-envoy-") || name == "connection" || name == "transfer-encoding":
			return "Envoy removes or refuses the header"
		case strings.HasPrefix(name, ":") || strings.ContainsAny(h[1], "\r\n\x00"):
			return "about bytes that Envoy alone sees"
		}
	}
	if r.SNI != "" && useOf(r) == tlsPassthrough && !strings.EqualFold(r.SNI+":443", r.Target) {
		return "the name in TLS is Envoy's to compare"
	}
	return ""
}

// inHTTP2 reports whether a header is one that requests have in HTTP/2 (RFC 9113
// section 8.2).
func inHTTP2(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "content-length":
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// hostOf is the authority of a URL.
func hostOf(target string) string {
	_, rest, _ := strings.Cut(target, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}
