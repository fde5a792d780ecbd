package world

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type searchArgs struct {
	Repo  string `json:"repo" jsonschema:"the repository, OWNER/NAME"`
	Query string `json:"query,omitempty" jsonschema:"what to look for"`
	Limit int    `json:"limit" jsonschema:"the most results to return"`
}

type repoArgs struct {
	Repo string `json:"repo"`
}

// Tools is a tool server (MCP, streamable HTTP).
func Tools() http.Handler {
	s := mcp.NewServer(&mcp.Implementation{Name: "code", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "search_code", Description: "Search a repository"},
		func(_ context.Context, _ *mcp.CallToolRequest, a searchArgs) (*mcp.CallToolResult, any, error) {
			return text("3 matches in %s", a.Repo), nil, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "delete_repo", Description: "Delete a repository"},
		func(_ context.Context, _ *mcp.CallToolRequest, a repoArgs) (*mcp.CallToolResult, any, error) {
			return text("%s is gone", a.Repo), nil, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "watch_build", Description: "Watch a build until it ends"}, watch)
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
}

func text(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}

// watch tells of progress for as long as it is let.
func watch(ctx context.Context, r *mcp.CallToolRequest, _ repoArgs) (*mcp.CallToolResult, any, error) {
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for i := range 600 {
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-t.C:
		}
		if token := r.Params.GetProgressToken(); token != nil {
			p := &mcp.ProgressNotificationParams{ProgressToken: token, Progress: float64(i), Message: "building"}
			if err := r.Session.NotifyProgress(ctx, p); err != nil {
				return nil, nil, err
			}
		}
	}
	return text("built"), nil, nil
}
