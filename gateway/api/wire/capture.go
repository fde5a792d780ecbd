package wire

// What was redirected enters by a listener that reads where to from what the
// client said: the SNI of TLS, or Host.

const (
	// EntryCaptureTLS is TLS: the guard is asked for a tunnel to what it names.
	EntryCaptureTLS Entry = "capture-tls"
	// EntryCaptureHTTP is plain HTTP.
	EntryCaptureHTTP Entry = "capture-http"
)

// Captured reports whether what entered so was redirected. Who sent it is known
// by where it came from.
func (e Entry) Captured() bool { return e == EntryCaptureTLS || e == EntryCaptureHTTP }

// gRPC metadata keys of a Check for what was captured.
const (
	// CallSource is ADDRESS:PORT that the connection came from, where Envoy's
	// own listener is between it and the question.
	CallSource = "x-hop-source"
	// CallCapture is the encoded Target of a connection that was captured and
	// cannot be read.
	CallCapture = "x-hop-capture"
)

// StateSource is the key of the filter state object that CallSource is read
// from. It is a hashable string, as all that cross to an internal listener.
const StateSource = "hopgate.source"

// CaptureName is the name in Envoy of the internal listener, and of the cluster
// that leads to it, of the listener of captured TLS that has this route table.
func CaptureName(table string) string { return "hopgate/capture/" + table }
