package world

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// pace is how often something is told.
const pace = 100 * time.Millisecond

type buildArgs struct {
	Repo string `json:"repo" jsonschema:"the repository, OWNER/NAME"`
}

// Tools is a tool server (MCP, streamable HTTP) with a tool that never ends by
// itself while ctx lives.
func Tools(ctx context.Context) http.Handler {
	s := mcp.NewServer(&mcp.Implementation{Name: "builds", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "watch_build", Description: "Watch a build until it ends"},
		func(asked context.Context, r *mcp.CallToolRequest, _ buildArgs) (*mcp.CallToolResult, any, error) {
			return nil, nil, watch(ctx, asked, r)
		})
	one := func(*http.Request) *mcp.Server { return s }
	return mcp.NewStreamableHTTPHandler(one, &mcp.StreamableHTTPOptions{Stateless: true})
}

// watch tells of progress for as long as somebody wants to know.
func watch(ctx, asked context.Context, r *mcp.CallToolRequest) error {
	t := time.NewTicker(pace)
	defer t.Stop()
	for i := 1; ; i++ {
		p := &mcp.ProgressNotificationParams{
			ProgressToken: r.Params.GetProgressToken(), Progress: float64(i), Message: fmt.Sprintf("step %d", i),
		}
		if err := r.Session.NotifyProgress(asked, p); err != nil {
			return err
		}
		select {
		case <-asked.Done():
			return asked.Err()
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}
