package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	alsv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/xds/envoy"
)

type res struct{ typ, name string; m proto.Message }

type srv struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	res []res
}

func (s *srv) DeltaAggregatedResources(st discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	n := 0
	for {
		req, err := st.Recv()
		if err != nil { return err }
		if req.ErrorDetail != nil { fmt.Println("NACK", req.TypeUrl, req.ErrorDetail.Message); continue }
		if req.ResponseNonce != "" && len(req.ResourceNamesSubscribe) == 0 { continue }
		want := map[string]bool{}
		for _, x := range req.ResourceNamesSubscribe { want[x] = true }
		fmt.Println("SUB", req.TypeUrl, req.ResourceNamesSubscribe)
		for _, r := range s.res {
			if r.typ != req.TypeUrl { continue }
			if len(want) > 0 && !want[r.name] && !want["*"] { continue }
			a, _ := anypb.New(r.m)
			n++
			st.Send(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: r.typ, Nonce: fmt.Sprint(n), Resources: []*discoveryv3.Resource{{Name: r.name, Version: "1", Resource: a}}})
		}
	}
}

type az struct{ authv3.UnimplementedAuthorizationServer }

func (az) Check(ctx context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	h := r.Attributes.Request.Http
	var hs []string
	for _, x := range h.GetHeaderMap().GetHeaders() { hs = append(hs, x.Key+"="+string(x.RawValue)+x.Value) }
	fmt.Println("CHECK", r.Attributes.ContextExtensions, h.Method, h.Host, h.Path, "body", len(h.RawBody), len(h.Body), "size", h.Size, h.Protocol, hs, h.Headers)
	md := map[string]any{"hop_id": fmt.Sprint(len(h.Host), h.Path, h.Id), "hold": "headers"}
	host, port, _ := net.SplitHostPort(h.Host)
	if host == "" { host, port = h.Host, "80" }
	switch {
	case strings.HasPrefix(host, "pub"): md["mode"] = "guard"
	case strings.HasPrefix(host, "in"): md["mode"] = "inside"
	case strings.HasPrefix(host, "host"): md["mode"] = "hosts"; md["cluster"] = "host/x"
		if port == "80" { md["cluster"] = "host/plain" }
	}
	md["host"] = host; md["port"] = port
	st, _ := structpb.NewStruct(md)
	return &authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
		Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: wire.HeaderDeadline, Value: "5000"}, AppendAction: 2}},
		HeadersToRemove: []string{"txn-token", "proxy-authorization"},
	}}, DynamicMetadata: st}, nil
}

type ep struct{ extprocv3.UnimplementedExternalProcessorServer }

func (ep) Process(s extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		m, err := s.Recv()
		if err != nil { fmt.Println("HOLD END", err); return nil }
		switch x := m.Request.(type) {
		case *extprocv3.ProcessingRequest_RequestHeaders:
			fmt.Println("HOLD", m.MetadataContext.FilterMetadata[wire.AuthzNamespace], len(x.RequestHeaders.Headers.Headers))
			s.Send(&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}}})
		case *extprocv3.ProcessingRequest_ResponseTrailers:
			s.Send(&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{}}})
		}
	}
}

type als struct{ alsv3.UnimplementedAccessLogServiceServer }

func (als) StreamAccessLogs(s alsv3.AccessLogService_StreamAccessLogsServer) error {
	for {
		m, err := s.Recv()
		if err != nil { return err }
		for _, e := range m.GetHttpLogs().GetLogEntry() {
			fmt.Println("ALS", e.CommonProperties.Metadata.FilterMetadata[wire.AuthzNamespace], e.Response.GetResponseCode().GetValue(), e.Response.GetResponseCodeDetails(), e.Request.RequestBodyBytes, e.Response.ResponseBodyBytes, e.CommonProperties.Duration, e.CommonProperties.ResponseFlags)
		}
	}
}

func main() {
	dir, _ := os.MkdirTemp("", "hg")
	sock := dir + "/g.sock"
	pc, _ := net.ListenPacket("udp", "127.0.0.1:0")
	go dns.ActivateAndServe(nil, pc, dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg); m.SetReply(q)
		ip := "203.0.113.9"
		if strings.HasPrefix(q.Question[0].Name, "pub") { ip = "127.0.0.1" }
		if strings.HasPrefix(q.Question[0].Name, "in") { ip = "10.9.9.9" }
		fmt.Println("DNS", q.Question[0].Name, q.Question[0].Qtype, ip)
		if q.Question[0].Qtype == dns.TypeA { rr, _ := dns.NewRR(q.Question[0].Name + " 5 IN A " + ip); m.Answer = append(m.Answer, rr) }
		w.WriteMsg(m)
	}))
	s := envoy.Settings{Socket: sock, DNSPort: uint16(pc.LocalAddr().(*net.UDPAddr).Port), TrustedCA: "/etc/ssl/certs/ca-certificates.crt"}
	up := netip.MustParseAddrPort("127.0.0.1:" + os.Args[1])
	bs := []*graph.Backend{
		{Name: "svc", Kind: graph.BackendEndpoints, Protocol: graph.ProtocolHTTP1},
		{Name: "host/x", Kind: graph.BackendAddresses, Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:" + os.Args[2])}},
		{Name: "host/plain", Kind: graph.BackendAddresses, Addresses: []netip.AddrPort{up}},
		{Name: "xb", Kind: graph.BackendName, Hostname: "in.example", Port: 8080, Inside: true},
	}
	gw := graph.Owner{Kind: "Gateway", Namespace: "a", Name: "g"}
	g := graph.Graph{
		Listeners: []*graph.Listener{
			{Name: "a/g/18080", Owner: gw, Kind: graph.ListenerRoutes, Address: netip.MustParseAddr("127.0.0.1"), Port: 18080},
			{Name: "a/g/13128", Owner: gw, Kind: graph.ListenerProxy, Address: netip.MustParseAddr("127.0.0.1"), Port: 13128},
		},
		Tables: []*graph.RouteTable{
			{Name: "a/g/18080", Owner: gw, Fragments: []*graph.Fragment{{Owner: graph.Owner{Kind: "HTTPRoute", Namespace: "a", Name: "r"}, Rules: []*graph.Rule{
				{Hostnames: []string{"*"}, Matches: []graph.Match{{Path: "/mcp"}}, Forward: &graph.Forward{Backends: []graph.WeightedBackend{{Backend: "svc", Weight: 1}}}, Target: wire.Target{Entry: "route", Gateway: "a/g", Surface: "Tools", BodyBytes: 16 << 20}},
				{Hostnames: []string{"*"}, Matches: []graph.Match{{Path: "/xb"}}, Forward: &graph.Forward{Backends: []graph.WeightedBackend{{Backend: "xb", Weight: 1}}}, Target: wire.Target{Entry: "route", Gateway: "a/g", Surface: "HTTP"}},
				{Hostnames: []string{"*"}, Matches: []graph.Match{{Path: "/p"}}, Forward: &graph.Forward{Rewrite: &graph.Rewrite{SetPath: true, PathPrefix: true, Path: "/"}, Backends: []graph.WeightedBackend{{Backend: "svc", Weight: 1}}, FailedWeight: 1}, Target: wire.Target{Entry: "route", Gateway: "a/g", Surface: "HTTP"}},
			}}}},
			{Name: "a/g/13128", Owner: gw, Proxy: &graph.ProxyTable{Target: wire.Target{Entry: "proxy", Gateway: "a/g", Listener: "p"}, Hosts: []string{"host/x", "host/plain"}}},
		},
		Backends:  bs,
		Endpoints: []*graph.Endpoints{{Name: "svc", Ready: []netip.AddrPort{up}}},
	}
	var rs []res
	for _, r := range envoy.Everything(&g, s) {
		u := "type.googleapis.com/" + string(r.Message.ProtoReflect().Descriptor().FullName())
		rs = append(rs, res{u, r.Name, r.Message})
	}
	l, _ := net.Listen("unix", sock)
	gs := grpc.NewServer(grpc.MaxRecvMsgSize(32 << 20))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(gs, &srv{res: rs})
	authv3.RegisterAuthorizationServer(gs, az{})
	extprocv3.RegisterExternalProcessorServer(gs, ep{})
	alsv3.RegisterAccessLogServiceServer(gs, als{})
	go gs.Serve(l)
	b, err := protojson.Marshal(envoy.Bootstrap{NodeID: "x", AdminSocket: process.AdminSocket(dir)}.Message(s))
	if err != nil { log.Fatal(err) }
	e, err := process.New(process.Config{Path: "bin/envoy", Dir: dir, Bootstrap: b, Concurrency: 2, Log: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil { log.Fatal(err) }
	fmt.Println("DIR", dir)
	log.Fatal(e.Run(context.Background()))
}
