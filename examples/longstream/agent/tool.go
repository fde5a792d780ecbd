package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// watchCall asks for a tool that tells of its progress (MCP).
const watchCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` +
	`{"name":"watch_build","arguments":{"repo":"acme/rocket"},"_meta":{"progressToken":"watch"}}}`

// Watch holds the stream of a tool.
func (a *Agent) Watch(ctx context.Context) (*Stream, error) {
	res, err := a.request(ctx, http.MethodPost, "/mcp", watchCall) //nolint:bodyclose // the stream closes it
	if err != nil {
		return nil, err
	}
	sc := bufio.NewScanner(res.Body)
	return hold("tool", res.Body, func(h *Heard) (string, error) { return event(sc, h) }), nil
}

// event reads until one more event has come, or the end. What is no part of
// progress is the answer, the last event there is.
func event(sc *bufio.Scanner, h *Heard) (string, error) {
	for sc.Scan() {
		data, ok := strings.CutPrefix(sc.Text(), "data: ")
		if !ok {
			continue
		}
		h.Last = data
		if _, answered := h.Fault(); !answered {
			h.Pieces++
		}
		return "", nil
	}
	if err := sc.Err(); err != nil && !errors.Is(err, io.EOF) {
		return Broken, err
	}
	return Clean, nil
}

// Fault is the error of a JSON-RPC response.
type Fault struct {
	Code    int     `json:"code"`
	Message string  `json:"message"`
	Data    Refusal `json:"data"`
}

// Fault is the error that the last event is; false: it is none.
func (h *Heard) Fault() (Fault, bool) {
	var in struct {
		ID    json.RawMessage `json:"id"`
		Error *Fault          `json:"error"`
	}
	if err := json.Unmarshal([]byte(h.Last), &in); err != nil || in.Error == nil {
		return Fault{}, false
	}
	return *in.Error, string(in.ID) == "1"
}
