// Agent is a small agent that knows nothing of hopgate: it calls tools by the
// official MCP SDK, and models by plain HTTP, through the addresses it is
// given, with a transaction token on each request.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	a := agent{base: os.Getenv("GATEWAY"), token: os.Getenv("TXN_TOKEN"), out: os.Stdout}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	switch job := strings.Join(os.Args[1:], " "); job {
	case "research":
		err = a.research(ctx)
	case "watch":
		err = a.watch(ctx)
	default:
		err = fmt.Errorf("no such job: %q", job)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

type agent struct {
	base, token string
	out         io.Writer
}

// RoundTrip puts the token on each request.
func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Txn-Token", a.token)
	return http.DefaultTransport.RoundTrip(r)
}

func (a agent) say(format string, args ...any) { fmt.Fprintf(a.out, "  agent: "+format+"\n", args...) }

func (a agent) connect(ctx context.Context, o *mcp.ClientOptions) (*mcp.ClientSession, error) {
	c := mcp.NewClient(&mcp.Implementation{Name: "researcher", Version: "1"}, o)
	return c.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: a.base + "/mcp", HTTPClient: &http.Client{Transport: a}, MaxRetries: -1, DisableStandaloneSSE: true,
	}, nil)
}

// research is what the agent was asked to do, and what it tries besides.
func (a agent) research(ctx context.Context) error {
	s, err := a.connect(ctx, nil)
	if err != nil {
		return fmt.Errorf("connect to tools: %w", err)
	}
	defer func() { _ = s.Close() }() // the session may have ended
	a.call(ctx, s, "search_code", map[string]any{"repo": "acme/rocket", "query": "fuel", "limit": 10})
	a.call(ctx, s, "delete_repo", map[string]any{"repo": "acme/rocket"})
	a.call(ctx, s, "search_code", map[string]any{"repo": "rival/secrets", "query": "fuel", "limit": 10})
	// The session is alive after two refusals.
	a.call(ctx, s, "search_code", map[string]any{"repo": "acme/rocket", "query": "tank", "limit": 1})
	long := strings.Repeat("What is the answer? ", 300<<10/20)
	if err := a.chat(ctx, "small-1", long, false); err != nil {
		return err
	}
	if err := a.chat(ctx, "large-1", "What is the answer?", false); err != nil {
		return err
	}
	return a.chat(ctx, "small-1", "What is the answer?", true)
}

func (a agent) call(ctx context.Context, s *mcp.ClientSession, tool string, args map[string]any) {
	r, err := s.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		a.say("%s %v: %v", tool, args["repo"], err)
		return
	}
	a.say("%s %v: %s", tool, args["repo"], r.Content[0].(*mcp.TextContent).Text)
}

func (a agent) chat(ctx context.Context, model, prompt string, stream bool) error {
	body, err := json.Marshal(map[string]any{
		"model": model, "stream": stream, "messages": []map[string]string{{"role": "user", "content": prompt}},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Transport: a}).Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", model, err)
	}
	defer res.Body.Close()
	if stream {
		return a.read(model, res.Body)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", model, err)
	}
	a.say("%s, %d KiB asked: %d %s", model, len(body)>>10, res.StatusCode, bytes.TrimSpace(answer))
	return nil
}

func (a agent) read(model string, body io.Reader) error {
	events := 0
	sc := bufio.NewScanner(body)
	for sc.Scan() {
		if strings.HasPrefix(sc.Text(), "data: ") {
			events++
		}
	}
	a.say("%s, streamed: %d events", model, events)
	return sc.Err()
}

// watch follows a build for as long as it is let.
func (a agent) watch(ctx context.Context) error {
	begun, events := time.Now(), 0
	s, err := a.connect(ctx, &mcp.ClientOptions{
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { events++ },
	})
	if err != nil {
		return fmt.Errorf("connect to tools: %w", err)
	}
	defer func() { _ = s.Close() }() // the session may have ended
	p := &mcp.CallToolParams{Name: "watch_build", Arguments: map[string]any{"repo": "acme/rocket"}}
	p.SetProgressToken("watch")
	_, err = s.CallTool(ctx, p)
	if err == nil {
		return errors.New("the build was watched to its end, although the token had expired")
	}
	a.say("watch_build: %d events, cut after %.1f s: %v", events, time.Since(begun).Seconds(), err)
	return nil
}
