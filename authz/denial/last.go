package denial

import (
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Event is one server-sent event. An empty Name is a message.
type Event struct {
	Name string
	Data []byte
}

// Last says in a stream of events why it ends here.
//
// To a JSON-RPC request it is the response that the client waits for, as a
// message: an event of another name is passed over by clients of MCP, which
// would then see a stream that broke off. In a stream without a request it is
// a notification, since a response to nothing ends a session.
func Last(c Code, d surface.Denial, o Occasion) Event {
	o.Proxy, o.GRPC, o.AsResult = false, false, false
	if o.Surface == v1alpha1.SurfaceTools && (o.MCP == nil || len(o.MCP.ID) == 0) {
		return Event{Data: notice("error", fill(c, d))}
	}
	e := Event{Name: "error", Data: Say(c, d, o).Body}
	if o.Surface == v1alpha1.SurfaceTools || (o.Surface == v1alpha1.SurfaceModels && o.Provider == llm.OpenAI) {
		e.Name = ""
	}
	return e
}

// Warning tells ahead of an end that is known, where the protocol has a place
// for it: MCP has notifications. Elsewhere it has no data.
func Warning(c Code, d surface.Denial, o Occasion) Event {
	if o.Surface != v1alpha1.SurfaceTools {
		return Event{}
	}
	return Event{Data: notice("warning", fill(c, d))}
}

func fill(c Code, d surface.Denial) surface.Denial {
	d.Code, d.Status = c.Name, c.HTTPStatus()
	if d.Text == "" {
		d.Text = c.Text
	}
	if d.Retry == "" {
		d.Retry = string(c.Retry)
	}
	return d
}

// notice is a log message of MCP (2025-06-18, server/utilities/logging).
func notice(level string, d surface.Denial) []byte {
	b := append([]byte(nil), `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":`...)
	b = strictjson.AppendString(b, level)
	b = append(b, `,"logger":"hopgate","data":{"message":`...)
	b = strictjson.AppendString(b, d.Text)
	b = append(b, ',')
	return append(d.AppendMembers(b), "}}}"...)
}
