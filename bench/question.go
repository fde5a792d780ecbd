package main

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// tokenLife is longer than any part of a run, and no longer than a trust
// domain may allow.
const tokenLife = 15 * time.Minute

// mint makes a token such as an agent has: of a user, through two agents, with
// what it is for.
func mint(key *token.Key, txn string, now time.Time) (string, error) {
	return mintFor(key, agent, txn, now)
}

// mintFor is mint for another agent.
func mintFor(key *token.Key, agent, txn string, now time.Time) (string, error) {
	s, err := key.Mint(token.Params{
		Audience: audience, Subject: "user:alice@corp.example", Txn: txn, Requester: "spiffe://corp/ns/agents/sa/tts",
		Scopes: []string{"research.read", "research.list"}, Agent: agent, Actors: []string{"planner", "front"},
		Context:  map[string]any{"region": "eu", "purpose": "quarterly report", "ticket": "RES-4711", "budget": 25},
		IssuedAt: now, Lifetime: tokenLife,
	}, rand.Reader)
	return string(s), err
}

// callOf is the body of a call of a tool, as an SDK writes it.
func callOf(tool string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":%q,"arguments":%s,`+
		`"_meta":{"progressToken":17,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}`, tool, callArguments)
}

const callArguments = `{"repo":"acme/widgets","limit":50,"query":"how are connections drained"}`

// question is what Envoy asks about a call of a tool: the headers that it
// sends to the guard, and the body.
func question(tool, raw string, now time.Time) ([]byte, error) {
	body := callOf(tool)
	headers := &corev3.HeaderMap{}
	for _, h := range [][2]string{
		{":authority", "tools.example:8080"},
		{":path", "/mcp"},
		{":method", "POST"},
		{":scheme", "http"},
		{"content-type", "application/json"},
		{"content-length", strconv.Itoa(len(body))},
		{"mcp-protocol-version", "2025-06-18"},
		{"mcp-session-id", "5f0c1e3e-9f0e-4b7f-8a3d-6f0a1f3d9b11"},
		{wire.HeaderTxnToken, raw},
		{wire.HeaderPartialBody, "false"}, // Envoy says it of each body that it sends
	} {
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	out, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: peer(40000), Destination: peer(8080),
		Request: &authv3.AttributeContext_Request{
			Time: timestamppb.New(now),
			Http: &authv3.AttributeContext_HttpRequest{
				Id: "7262061432846370000", Method: "POST", Path: "/mcp", Host: "tools.example:8080", Scheme: "http", Protocol: "HTTP/1.1",
				Size: int64(len(body)), RawBody: body, HeaderMap: headers,
			},
		},
		ContextExtensions: map[string]string{wire.ContextTarget: toolTarget().String()},
		MetadataContext:   &corev3.Metadata{}, RouteMetadataContext: &corev3.Metadata{},
	}})
	if err != nil {
		return nil, fmt.Errorf("write a question: %w", err)
	}
	return out, nil
}

func peer(port uint32) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}}
}
