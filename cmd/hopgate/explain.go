package main

import (
	"bufio"
	"errors"
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

or a query for a name ('hop' in the record of a refused one is its hop id):

  peer: 10.1.2.3
  do: {surface: DNS, method: A, host: example.com}

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
		by, err := explainerOf(record, args[0], c.InOrStdin())
		if err != nil {
			return err
		}
		return explainBy(c.OutOrStdout(), paths, state, ca, output.value, by)
	}
	return c
}

// explainer explains what a person asked about against a configuration.
type explainer func(*explain.Config) (explain.Explanation, error)

func explainerOf(record, arg string, stdin io.Reader) (explainer, error) {
	if record != "" {
		r, err := decisionOn(record, arg)
		return func(cfg *explain.Config) (explain.Explanation, error) { return explainRecord(cfg, record, &r) }, err
	}
	h, err := readHop(arg, stdin)
	return func(cfg *explain.Config) (explain.Explanation, error) {
		if h.IsQuery() {
			return cfg.ExplainQuery(h)
		}
		hop, err := cfg.Resolve(h)
		if err != nil {
			return explain.Explanation{}, err
		}
		return cfg.Explain(hop), nil
	}, err
}

func readHop(arg string, stdin io.Reader) (*explain.Hop, error) {
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

// decisionOn finds the decision on a hop, by the beginning of its id.
func decisionOn(path, id string) (audit.Record, error) {
	if len(id) < 4 {
		return audit.Record{}, errUsage{fmt.Errorf("a hop id has at least 4 characters, not %q", id)}
	}
	r, ok, err := findDecision(path, func(r *audit.Record) bool { return strings.HasPrefix(r.Hop.String(), id) })
	if err == nil && !ok {
		err = fmt.Errorf("%s has no decision on a hop whose id begins with %s", path, id)
	}
	return r, err
}

// findDecision is the first decision in a record that is the one; false: there is
// none.
func findDecision(path string, is func(*audit.Record) bool) (audit.Record, bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return audit.Record{}, false, fmt.Errorf("open record: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		r, err := audit.Decode(sc.Bytes())
		if err == nil && (r.Kind == audit.KindBegin || r.Kind == audit.KindDeny) && is(&r) {
			return r, true, nil
		}
	}
	if err := sc.Err(); err != nil {
		return audit.Record{}, false, fmt.Errorf("read record: %w", err)
	}
	return audit.Record{}, false, nil
}

// explainRecord explains a decision of the record at path. What led to it is in
// there too, or in a file before it.
func explainRecord(cfg *explain.Config, path string, r *audit.Record) (explain.Explanation, error) {
	var broken error
	e, err := cfg.ExplainRecord(r, func(hop audit.HopID) (audit.Record, bool) {
		var found audit.Record
		var ok bool
		found, ok, broken = findDecision(path, func(r *audit.Record) bool { return r.Hop == hop })
		return found, ok
	})
	return e, errors.Join(err, broken)
}

func explainBy(w io.Writer, paths []string, state string, ca laptop.CAFiles, output string, by explainer) error {
	r, err := laptop.LookWith(paths, state, ca, time.Now())
	if err != nil {
		return err
	}
	cfg, err := r.Explain(time.Now())
	if err != nil {
		return err
	}
	e, err := by(cfg)
	if err != nil {
		return err
	}
	if output == "json" {
		return writeJSON(w, e)
	}
	return e.WriteText(w)
}
