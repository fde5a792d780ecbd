package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// Agent has an address to go to, and a token to go with.
type Agent struct {
	// Base is the gateway's HTTP listener, host:port.
	Base string
	// Token goes with each request from now on; streams keep theirs.
	Token string
}

// Refusal is why a request got nothing.
type Refusal struct {
	Status int    `json:"-"`
	Code   string `json:"code"`
	Retry  string `json:"retry"`
}

func (r Refusal) Error() string { return fmt.Sprintf("%d %s, retry %s", r.Status, r.Code, r.Retry) }

func (a *Agent) request(ctx context.Context, method, path, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+a.Base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Txn-Token", a.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	return nil, refusal(res)
}

// refusal reads an answer that says no: an RFC 9457 problem, or a JSON-RPC
// error.
func refusal(res *http.Response) error {
	var in struct {
		Refusal
		Error Fault `json:"error"`
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("answer %d is not readable: %w", res.StatusCode, err)
	}
	if in.Code == "" {
		in.Refusal = in.Error.Data
	}
	in.Status = res.StatusCode
	return in.Refusal
}

// Read asks for what is new, once.
func (a *Agent) Read(ctx context.Context) (string, error) {
	res, err := a.request(ctx, http.MethodGet, "/feed", "")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("read /feed: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
