package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// hashable makes a filter state object part of the pool key, towards an
// internal listener and towards anybody else. Without it a tunnel is handed the
// connection, and so the state, of another one, and a request a connection that
// another caller's bytes have been on.
const hashable = "envoy.hashable_string"

// target hands on what Check canonicalised: that is dialled, never what the
// client wrote.
func target() Filter {
	host, port := metadata(wire.MetaHost), metadata(wire.MetaPort)
	return Filter{Name: "target", Config: &setstatev3.Config{OnRequestHeaders: []*statev3.FilterStateValue{
		stateValue(wire.StateHop, hashable, metadata(wire.MetaTunnel)),
		stateValue(wire.StatePool, hashable, metadata(wire.MetaPool)),
		stateValue(wire.StateTarget, hashable, host+":"+port),
		stateValue(wire.StateHost, hashable, host),
		stateValue("envoy.upstream.dynamic_host", "", host),
		stateValue("envoy.upstream.dynamic_port", "", port),
		stateValue("envoy.tcp_proxy.cluster", "", metadata(wire.MetaCluster)),
	}}}
}

func metadata(key string) string {
	return "%DYNAMIC_METADATA(" + wire.AuthzNamespace + ":" + key + ")%"
}

func stateValue(key, factory, format string) *statev3.FilterStateValue {
	return &statev3.FilterStateValue{
		Key:        &statev3.FilterStateValue_ObjectKey{ObjectKey: key},
		FactoryKey: factory,
		Value: &statev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
			OmitEmptyValues: true,
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
				Specifier: &corev3.DataSource_InlineString{InlineString: format},
			}},
		}},
		SharedWithUpstream: statev3.FilterStateValue_TRANSITIVE,
		SkipIfEmpty:        true,
	}
}
