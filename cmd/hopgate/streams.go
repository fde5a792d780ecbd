package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

type streamsFlags struct {
	admin.Filter
	state  string
	watch  bool
	every  time.Duration
	output *choice
}

func newStreams() *cobra.Command {
	var f streamsFlags
	c := &cobra.Command{
		Use:   "streams",
		Short: "Show what lives now: who, what, since when, until when",
		Long: strings.TrimSpace(`
Streams shows every hop that lives now in the gateway that runs on the state folder,
oldest first: who it is for, what it does, by which rule, when it ends by itself, and
the bytes that have come from and gone to the agent. Envoy tells of these every ten
seconds; before that there is a dash. Filters must all hold; an agent is any link of the
chain of actors.`),
		Example: `  hopgate streams
  hopgate streams --agent researcher -o json
  hopgate streams --txn 97053963 --watch`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return streams(c.Context(), c.OutOrStdout(), &f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.Agent, "agent", "", "streams of this agent, and of those that act for it")
	fl.StringVar(&f.Subject, "subject", "", "streams for this subject")
	fl.StringVar(&f.Txn, "txn", "", "streams of this transaction")
	fl.StringVar(&f.Peer, "peer", "", "streams of this workload, by its SPIFFE ID, or the address that it was captured from")
	fl.StringVar(&f.Token, "token", "", "streams that stand on this token, by its name in records")
	fl.StringVar(&f.Rule, "rule", "", "streams that this rule allowed")
	fl.StringVar(&f.Domain, "trust-domain", "", "streams of this trust domain, NAMESPACE/NAME")
	fl.BoolVar(&f.watch, "watch", false, "show them again and again, until interrupted")
	fl.DurationVar(&f.every, "every", time.Second, "how often --watch looks")
	stateFlag(c, &f.state, "the gateway that runs on it is asked")
	f.output = outputFlag(c, "text", "json")
	return c
}

func streams(ctx context.Context, out io.Writer, f *streamsFlags) error {
	if f.every < 100*time.Millisecond {
		return errUsage{fmt.Errorf("--every is at least 100ms, not %s", f.every)}
	}
	if f.Token != "" && !tokenName(f.Token) {
		return errUsage{fmt.Errorf("--token is 16 lower-case hexadecimal digits, as records have it, not %s", audit.Quote(f.Token))}
	}
	client, err := admin.NewClient(f.state)
	if err != nil {
		return err
	}
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		list, err := client.Streams(ctx, f.Filter)
		if err != nil {
			return err
		}
		if err := writeStreams(out, list, f.output.value, time.Now()); err != nil || !f.watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if f.output.value == "text" {
			fmt.Fprintln(out)
		}
	}
}

// tokenName reports whether s can name a token.
func tokenName(s string) bool {
	var id audit.TokenID
	return id.UnmarshalText([]byte(s)) == nil
}

func writeStreams(out io.Writer, list []leash.Stream, output string, now time.Time) error {
	if output == "json" {
		enc := json.NewEncoder(out)
		for i := range list {
			if err := enc.Encode(&list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no streams")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOP\tAGENT\tSUBJECT\tWHAT\tRULE\tAGE\tIN\tOUT\tENDS IN")
	for i := range list {
		s := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Hop[:min(len(s.Hop), 8)], dash(s.Agent), dash(s.Subject), what(s),
			dash(s.Policy+"/"+s.Rule), age(now.Sub(s.Since)), count(s, s.BytesIn), count(s, s.BytesOut), ends(s, now))
	}
	return w.Flush()
}

// what tells a stream in a few words. They are an agent's, and move no cursor.
func what(s *leash.Stream) string {
	words := []string{s.Method}
	if s.Name != "" {
		words = append(words, s.Name)
	}
	switch {
	case s.Route != "":
		words = append(words, "on "+s.Route)
	case s.Host != "":
		words = append(words, fmt.Sprintf("%s:%d", s.Host, s.Port))
	}
	return audit.Display(strings.Join(words, " "), maxShownWords)
}

const maxShownWords = 60

func dash(s string) string {
	if s == "" || s == "/" {
		return "-"
	}
	return audit.Display(s, maxShownWords)
}

func age(d time.Duration) string { return d.Round(time.Second).String() }

// count is a number of bytes, once Envoy has said one.
func count(s *leash.Stream, n uint64) string {
	if s.Seen.IsZero() {
		return "-"
	}
	return bytesOf(n)
}

// bytesOf is n in few figures, in units as the tree of a transaction has them.
func bytesOf(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%dB", n)
	}
	f, unit := float64(n), -1
	for f >= 999.5 { // which would be shown as 1000
		f, unit = f/1000, unit+1
	}
	if f < 99.95 {
		return fmt.Sprintf("%.1f%cB", f, "kMGTPE"[unit])
	}
	return fmt.Sprintf("%.0f%cB", f, "kMGTPE"[unit])
}

func ends(s *leash.Stream, now time.Time) string {
	if s.Until.IsZero() {
		return "-"
	}
	in := age(max(0, s.Until.Sub(now)))
	if s.Lifetime != string(v1alpha1.LifetimeRenewable) {
		return in
	}
	if s.Last.IsZero() {
		return in + ", renewable"
	}
	return in + ", renewable up to " + age(max(0, s.Last.Sub(now)))
}
