// Package surface holds what a hop does, in terms that rules can be written
// in. Each protocol has a package below this one that reads its requests into
// an Action. Nothing here does I/O.
package surface

import (
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Action is what one hop asks for. Strings are canonical: what rules compare
// is what is dialled and sent on.
type Action struct {
	Kind v1alpha1.SurfaceType
	// Method is the HTTP method for HTTP and Hosts (CONNECT), the JSON-RPC
	// method for Tools and Agents, the operation for Models and Packages.
	Method string
	// Name is the tool, prompt or resource URI for Tools, the model for
	// Models, the package for Packages; empty where the method has none.
	Name string
	// Host and Port are the destination on a Proxy listener; on a route the
	// Host header, and the listener's port.
	Host string
	Port uint16
	// Path is the request's path without its query. An encoded slash in it, of
	// HTTP alone, is %2F.
	Path string
	// Override is another method that the request asks for, of servers that
	// would listen to that: it does what either does. Empty: none.
	Override string
	// Words are what it says under names that rules choose, for HTTP; nil:
	// nothing.
	Words Words
	// Package is what is asked of a registry, for Packages.
	Package Package
	// Args are the arguments of a tool call; the zero Value: none.
	Args strictjson.Value
	// Base marks the MCP base methods.
	Base bool
	// Streams is true where the answer may come as a stream of events, Upgrade
	// where the connection is to become a WebSocket.
	Streams, Upgrade bool
	// OnRoute is true for hops that an HTTPRoute matched.
	OnRoute bool
	// Inspected is true inside an intercepted TLS connection.
	Inspected bool
	// RequestBytes is the length of the body; -1: not known.
	RequestBytes int64
	// HeadBytes is what the request takes besides its body.
	HeadBytes int64
	// OutputTokens is what a model call asks for at most; 0: it does not say.
	OutputTokens int64
}
