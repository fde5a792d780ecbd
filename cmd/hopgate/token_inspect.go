package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/source"
)

// tokenVariable may hold the token to inspect: unlike an argument, other users
// cannot see it.
const tokenVariable = "TXN_TOKEN"

type inspectFlags struct {
	paths           []string
	state, peer, at string
	output          *choice
}

func newTokenInspect() *cobra.Command {
	var f inspectFlags
	c := &cobra.Command{
		Use:   "inspect [TOKEN | -]",
		Short: "Say what a verifier thinks of a token, check by check",
		Long: strings.TrimSpace(`
Inspect makes every check that the gateway makes, and does not stop at the first that
fails. It shows the token's header and claims, never its signature. It ends with 1 if
the token is not believed, with the reason that a denial would have.

The token is read from $` + tokenVariable + ` where that is set, and else (and for -) from standard
input; as an argument others on this machine could see it. Trust domains are those of
the files given, or the one that is built in. A token that is bound to a workload needs
--peer.`),
		Example: `  echo "$TOKEN" | hopgate token inspect
  ` + tokenVariable + `=$TOKEN hopgate token inspect -f my-gateway
  echo "$TOKEN" | hopgate token inspect --at 2026-03-01T12:00:00Z -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	fileFlag(c, &f.paths)
	stateFlag(c, &f.state, "for the local key")
	c.Flags().StringVar(&f.at, "at", "", "the moment to judge at, as 2026-03-01T12:00:00Z; empty: now")
	c.Flags().StringVar(&f.peer, "peer", "", "SPIFFE ID of who presents it; empty: nobody in particular")
	f.output = outputFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		raw, err := givenToken(args, c.InOrStdin())
		if err != nil {
			return err
		}
		return inspect(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), raw, f)
	}
	return c
}

// maxGiven is more than any token is long, in bytes.
const maxGiven = 64 << 10

// givenToken is the argument; without one the variable, and else what can be
// read.
func givenToken(args []string, in io.Reader) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		return args[0], nil
	}
	if t := os.Getenv(tokenVariable); t != "" && len(args) == 0 {
		return t, nil
	}
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) && len(args) == 0 {
		return "", errUsage{fmt.Errorf("no token: give it on standard input, or in $%s", tokenVariable)}
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxGiven))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	t := strings.TrimSpace(string(raw))
	if t == "" {
		return "", errors.New("read token: there is nothing on standard input")
	}
	return t, nil
}

func inspect(ctx context.Context, out, notes io.Writer, raw string, f inspectFlags) error {
	now := time.Now()
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return errUsage{fmt.Errorf("--at is a time as 2026-03-01T12:00:00Z: %w", err)}
		}
		now = at
	}
	domains, err := trustDomains(f, notes)
	if err != nil {
		return err
	}
	i := token.Inspect(ctx, now, raw, domains, token.Peer{SPIFFE: f.peer}, jwks.Config{})
	if f.output.value == "json" {
		err = inspectionJSON(out, i)
	} else {
		err = inspectionText(out, i)
	}
	if err != nil || i.Believed {
		return err
	}
	return notBelieved(i)
}

// trustDomains are those of the files; what is wrong with the files is told.
func trustDomains(f inspectFlags, notes io.Writer) ([]feedv1.TrustDomain, error) {
	r, err := laptop.Look(f.paths, f.state, time.Now())
	if err != nil {
		return nil, err
	}
	for _, p := range r.Worst() {
		if p.Severity == source.Error {
			fmt.Fprintf(notes, "%s: %s\n", p.Severity, p)
		}
	}
	return r.Feed.TrustDomains, nil
}

// notBelieved is the first check that failed.
func notBelieved(i *token.Inspection) error {
	for _, c := range i.Checks {
		if !c.OK && !c.Skipped {
			return fmt.Errorf("the token is not believed: %s", why(c))
		}
	}
	return errors.New("the token is not believed")
}

func inspectionJSON(w io.Writer, i *token.Inspection) error {
	raw, err := json.Marshal(struct {
		*token.Inspection
		Code string `json:"code,omitempty"`
	}{i, i.Reason.Code()})
	if err != nil {
		return fmt.Errorf("write inspection: %w", err)
	}
	text, err := showJSON(raw)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, text)
	return err
}

func inspectionText(w io.Writer, i *token.Inspection) error {
	for _, part := range []struct {
		name string
		raw  json.RawMessage
	}{{"header", i.Header}, {"claims", i.Claims}} {
		if part.raw == nil {
			continue
		}
		text, err := showJSON(part.raw)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %s\n", part.name, text)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CHECK\tRESULT\tWHY")
	for _, c := range i.Checks {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", c.Name, mark(c), why(c))
	}
	if i.Believed {
		fmt.Fprintf(tw, "\nbelieved, as of TrustDomain %s\n", i.Domain)
	}
	return tw.Flush()
}

func mark(c token.Check) string {
	switch {
	case c.Skipped:
		return "skipped"
	case c.OK:
		return "ok"
	default:
		return "FAIL"
	}
}

func why(c token.Check) string {
	if c.OK || c.Skipped {
		return ""
	}
	text := c.Reason.Code()
	if c.Detail != "" {
		text += ": " + shown(c.Detail)
	}
	return text
}

// shown is s as it is where nothing in it can deceive, and quoted otherwise.
func shown(s string) string {
	if q := audit.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}
