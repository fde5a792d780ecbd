package envoy

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// manager is the connection manager of one shape. It is a constant: changing
// any field of it cuts the streams of its listeners.
func manager(sh shape, c cache, table string, s Settings) *listenerv3.Filter {
	h := &hcmv3.HttpConnectionManager{
		StatPrefix:            table,
		CodecType:             hcmv3.HttpConnectionManager_AUTO,
		HttpProtocolOptions:   http1Towards(sh),
		Http2ProtocolOptions:  http2Towards(),
		UpgradeConfigs:        upgrades(sh),
		UseRemoteAddress:      yes(),
		InternalAddressConfig: &hcmv3.HttpConnectionManager_InternalAddressConfig{},
		ServerName:            "hopgate",
		// The deadline and the hold end streams, not silence.
		StreamIdleTimeout:             dur(0),
		StreamFlushTimeout:            dur(streamFlush),
		DelayedCloseTimeout:           dur(delayedClose),
		RequestHeadersTimeout:         dur(requestHeaders),
		RequestTimeout:                dur(requestBody),
		MaxRequestHeadersKb:           u32(maxHeadersKB),
		NormalizePath:                 wrapperspb.Bool(sh == shapeRoutes),
		MergeSlashes:                  sh == shapeRoutes,
		PathWithEscapedSlashesAction:  hcmv3.HttpConnectionManager_KEEP_UNCHANGED, // the guard judges them, and rules may keep them
		CommonHttpProtocolOptions:     &corev3.HttpProtocolOptions{HeadersWithUnderscoresAction: underscores(sh)},
		EarlyHeaderMutationExtensions: []*corev3.TypedExtensionConfig{strip(sh)},
		AccessLog:                     accessLogs(),
		AccessLogOptions:              &hcmv3.HttpConnectionManager_HcmAccessLogOptions{AccessLogFlushInterval: dur(logEvery)},
		LocalReplyConfig:              localReplies(s.Replies),
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource: ads(), RouteConfigName: table,
		}},
	}
	for _, f := range chain(sh, c, s) {
		h.HttpFilters = append(h.HttpFilters, f.slot())
	}
	h.HttpFilters = append(h.HttpFilters, router())
	return &listenerv3.Filter{
		Name:       "envoy.filters.network.http_connection_manager",
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(h)},
	}
}

// http1Towards takes absolute-form where there is a proxy. Where connections
// are captured Envoy refuses it: who knows of a proxy goes there.
func http1Towards(sh shape) *corev3.Http1ProtocolOptions {
	o := &corev3.Http1ProtocolOptions{AcceptHttp_10: sh == shapeProxy}
	if sh == shapeCaptureHTTP {
		o.AllowAbsoluteUrl = no()
	}
	return o
}

func http2Towards() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		AllowConnect:                true,
		MaxConcurrentStreams:        u32(maxStreams),
		InitialStreamWindowSize:     u32(streamWindow),
		InitialConnectionWindowSize: u32(connectionWindow),
	}
}

func upgrades(sh shape) []*hcmv3.HttpConnectionManager_UpgradeConfig {
	ups := []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}}
	if sh.tunnels() {
		ups = append(ups, &hcmv3.HttpConnectionManager_UpgradeConfig{UpgradeType: "CONNECT"})
	}
	return ups
}

// underscores are refused on routes, where a backend might read txn_token as
// the header that we strip; towards the Internet they are its own business.
func underscores(sh shape) corev3.HttpProtocolOptions_HeadersWithUnderscoresAction {
	if sh == shapeRoutes {
		return corev3.HttpProtocolOptions_REJECT_REQUEST
	}
	return corev3.HttpProtocolOptions_ALLOW
}

// strip removes what only the gateway may say, before anything sees it. It is
// here and not in the routes: their removal would take Check's own deadline
// away too, and silently switch it off.
func strip(sh shape) *corev3.TypedExtensionConfig {
	cfg := &earlyv3.HeaderMutation{Mutations: []*mutationv3.HeaderMutation{
		removePrefix(wire.HeaderPrefix),
		// The deadline is among these, and so are retries and timeouts, which
		// Envoy would take from a client that it holds for internal.
		removePrefix("x-envoy-"),
	}}
	cfg.Mutations = append(cfg.Mutations, framing())
	if sh == shapeRoutes {
		for _, h := range overrides() {
			cfg.Mutations = append(cfg.Mutations, remove(h))
		}
	}
	return &corev3.TypedExtensionConfig{Name: "strip", TypedConfig: pack(cfg)}
}

// framing keeps what the request says of how its body comes: Envoy takes that
// away next.
func framing() *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: wire.HeaderFraming, Value: "%REQ(transfer-encoding)%"},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}}
}

// overrides are headers by which some backends take another method or path
// than the one that was judged. Towards the Internet they are its own business.
func overrides() []string {
	return []string{
		"x-http-method", "x-http-method-override", "x-method-override", "x-original-method", "x-original-uri", "x-original-url", "x-rewrite-url",
	}
}

func remove(h string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: h}}
}

func removePrefix(p string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
			KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: p}},
		},
	}}
}

func router() *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{
		TypedConfig: pack(&routerv3.Router{
			SuppressEnvoyHeaders:          true,
			RejectConnectRequestEarlyData: yes(),
		}),
	}}
}
