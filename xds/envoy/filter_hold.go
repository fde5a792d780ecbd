package envoy

import (
	procv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	filterHoldHeaders = "hold.headers"
	filterHoldRelay   = "hold.relay"
	filterMeter       = "meter"
)

// holdHeaders is the leash: a side stream without bodies that lives as long
// as the hop. It is skipped only where Check said relay or none; a missing or
// odd value means held.
func holdHeaders() Filter {
	skip := anyOf(metadataIs(wire.MetaHold, wire.HoldRelay), metadataIs(wire.MetaHold, wire.HoldNone))
	p := holdProcessor(&procv3.ProcessingMode{
		RequestHeaderMode:  procv3.ProcessingMode_SEND,
		ResponseHeaderMode: procv3.ProcessingMode_SKIP,
		RequestTrailerMode: procv3.ProcessingMode_SKIP,
		// This alone keeps the side stream open after the headers.
		ResponseTrailerMode: procv3.ProcessingMode_SEND,
	})
	// Of some hops the guard wants to hear where the answer leads to.
	p.AllowModeOverride, p.AllowedOverrideModes = true, []*procv3.ProcessingMode{hearing()}
	p.ForwardRules.AllowedHeaders = nothingBut(":status", "location")
	return Filter{Name: filterHoldHeaders, Config: unless(skip, "envoy.filters.http.ext_proc", p)}
}

// hearing is the one mode that the guard may choose for a leash: it hears the
// answer's headers too, and stays as long.
func hearing() *procv3.ProcessingMode {
	return &procv3.ProcessingMode{
		RequestHeaderMode: procv3.ProcessingMode_SEND, ResponseHeaderMode: procv3.ProcessingMode_SEND,
		RequestTrailerMode: procv3.ProcessingMode_SKIP, ResponseTrailerMode: procv3.ProcessingMode_SEND,
	}
}

// holdRelay is the leash that also carries the answer's body.
func holdRelay() Filter {
	skip := not(metadataIs(wire.MetaHold, wire.HoldRelay))
	p := holdProcessor(&procv3.ProcessingMode{
		RequestHeaderMode:   procv3.ProcessingMode_SEND,
		ResponseHeaderMode:  procv3.ProcessingMode_SEND,
		ResponseBodyMode:    procv3.ProcessingMode_FULL_DUPLEX_STREAMED,
		RequestTrailerMode:  procv3.ProcessingMode_SKIP,
		ResponseTrailerMode: procv3.ProcessingMode_SEND,
	})
	// What kind of answer it is says where a last word can stand in it.
	p.ForwardRules.AllowedHeaders = nothingBut(":status", "content-type", "content-encoding")
	p.MetadataOptions.ReceivingNamespaces = &procv3.MetadataOptions_MetadataNamespaces{Untyped: []string{wire.EndNamespace}}
	return Filter{Name: filterHoldRelay, Config: unless(skip, "envoy.filters.http.ext_proc", p)}
}

// meter carries the request's body through the guard, which counts it and lets
// no more pass than a budget has room for. It holds nothing: that is the leash's,
// which it stands behind, and which ends the hop.
func meter() Filter {
	skip := not(metadataIs(wire.MetaMeter, wire.MeterYes))
	return Filter{Name: filterMeter, Config: unless(skip, "envoy.filters.http.ext_proc", holdProcessor(&procv3.ProcessingMode{
		RequestHeaderMode:   procv3.ProcessingMode_SEND,
		ResponseHeaderMode:  procv3.ProcessingMode_SKIP,
		RequestBodyMode:     procv3.ProcessingMode_FULL_DUPLEX_STREAMED,
		RequestTrailerMode:  procv3.ProcessingMode_SEND, // Envoy wants it with this mode of bodies
		ResponseTrailerMode: procv3.ProcessingMode_SKIP,
	}))}
}

func holdProcessor(mode *procv3.ProcessingMode) *procv3.ExternalProcessor {
	return &procv3.ExternalProcessor{
		// No timeout: the call lives as long as the stream it holds.
		GrpcService:    grpcService(ClusterHold, 0),
		StatusOnError:  &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		MessageTimeout: dur(holdReply),
		ProcessingMode: mode,
		MetadataOptions: &procv3.MetadataOptions{ForwardingNamespaces: &procv3.MetadataOptions_MetadataNamespaces{
			Untyped: []string{wire.AuthzNamespace},
		}},
		ForwardRules: &procv3.HeaderForwardingRules{AllowedHeaders: nothingBut(":status")},
	}
}
