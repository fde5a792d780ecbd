package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/explain"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

func newExplain() *cobra.Command {
	var paths []string
	var state, record string
	var ca laptop.CAFiles
	c := &cobra.Command{
		Use:   "explain -f PATH... [HOP.yaml | --record FILE HOP_ID]",
		Short: "Say why a hop is decided as it is",
		Long: strings.TrimSpace(`
Explain decides one hop against a configuration and shows why: each level, each rule
that was looked at, each condition with what it wants and what the hop has, the
duties that come with an allow, and what would have allowed a denied hop.

The hop is a small YAML file ('-' for standard input):

  listener: proxy
  token: {subject: alice, agent: researcher, scopes: [web.read]}
  do: {surface: Hosts, host: example.com}

or a decision that was recorded, by its hop id (a denial's request_id):

  hopgate explain -f my-gateway --record audit.jsonl 3f9c...`),
		Example: `  hopgate explain -f my-gateway hop.yaml
  echo 'do: {surface: Hosts, host: example.com}' | hopgate explain -f my-gateway -`,
		Args: cobra.ExactArgs(1),
	}
	output := outputFlag(c, "text", "json")
	fileFlag(c, &paths)
	must(c.MarkFlagRequired("file"))
	stateFlag(c, &state, "for the local key, and the CA")
	caFlags(c, &ca)
	c.Flags().StringVar(&record, "record", "", "audit record that has the hop")
	c.RunE = func(c *cobra.Command, args []string) error {
		h, err := hopOf(record, args[0], c.InOrStdin())
		if err != nil {
			return err
		}
		return explainHop(c.OutOrStdout(), paths, state, ca, output.value, h)
	}
	return c
}

func hopOf(record, arg string, stdin io.Reader) (*explain.Hop, error) {
	if record != "" {
		return recordedHop(record, arg)
	}
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, 1<<20))
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return explain.ReadHop(text)
	}
	text, err := os.ReadFile(arg)
	if err != nil {
		return nil, fmt.Errorf("read hop: %w", err)
	}
	return explain.ReadHop(text)
}

// recordedHop finds the decision on a hop, by the beginning of its id.
func recordedHop(path, id string) (*explain.Hop, error) {
	if len(id) < 4 {
		return nil, errUsage{fmt.Errorf("a hop id has at least 4 characters, not %q", id)}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		r, err := audit.Decode(sc.Bytes())
		if err != nil || !strings.HasPrefix(r.Hop.String(), id) || (r.Kind != audit.KindBegin && r.Kind != audit.KindDeny) {
			continue
		}
		return explain.FromRecord(&r)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return nil, fmt.Errorf("%s has no decision on a hop whose id begins with %s", path, id)
}

func explainHop(w io.Writer, paths []string, state string, ca laptop.CAFiles, output string, h *explain.Hop) error {
	r, err := laptop.LookWith(paths, state, ca, time.Now())
	if err != nil {
		return err
	}
	cfg, err := r.Explain(time.Now())
	if err != nil {
		return err
	}
	hop, err := cfg.Resolve(h)
	if err != nil {
		return err
	}
	e := cfg.Explain(hop)
	if output == "json" {
		return writeJSON(w, e)
	}
	return e.WriteText(w)
}
