package desired

import (
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// captureTunnels are what a listener of captured TLS needs besides. They are
// its Gateway's, so that what Envoy says of them is told there.
func (b *Builder) captureTunnels(l *graph.Listener) []*serve.Resource {
	if l.Capture == nil {
		return nil
	}
	var out []*serve.Resource
	for i, n := range envoy.CaptureTunnels(l.Name, b.settings) {
		out = append(out, b.keep(captureKey{l, i}, func() *serve.Resource {
			return single(n.TypeURL, n.Name, l.Owner, "1", func() (proto.Message, error) { return n.Message, nil })
		}))
	}
	return out
}

type captureKey struct {
	of *graph.Listener
	n  int
}
