package explain

import (
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// entryOf is how a hop enters by a listener that leads to anywhere; false: its
// routes say where it leads.
func entryOf(l *feedv1.Listener) (wire.Entry, bool) {
	switch l.Protocol {
	case v1alpha1.ProtocolProxy:
		return wire.EntryProxy, true
	case v1alpha1.ProtocolCaptureTLS:
		return wire.EntryCaptureTLS, true
	case v1alpha1.ProtocolCaptureHTTP:
		return wire.EntryCaptureHTTP, true
	default:
		return "", false
	}
}
