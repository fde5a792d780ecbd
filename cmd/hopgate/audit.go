package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

func newAudit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Look at the audit record",
		Long: strings.TrimSpace(`
The audit record has one line for each decision, and one for how a hop ended. It is
chained and signed. Show draws its transactions as trees, verify says whether it is
whole.`),
		Example: `  hopgate audit show audit.jsonl
  hopgate audit verify audit.jsonl`,
		RunE: help,
	}
	c.AddCommand(newAuditVerify(), newAuditShow())
	return c
}

func newAuditVerify() *cobra.Command {
	var state, key string
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Say whether a record was changed, cut or left out",
		Long: strings.TrimSpace(`
Verify walks the chain of a record and checks the signatures of its checkpoints. It
says the first place where a line was changed, left out, moved or added, which lines a
signature covers, and how many come after the last one. Files that were rotated are
given in order. It ends with 1 if anything is wrong.

The key is the state folder's, or a public key in PEM (--key).`),
		Example: `  hopgate audit verify audit.jsonl
  hopgate audit verify audit.jsonl.1 audit.jsonl --key auditor.pem`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			pub, err := auditKey(key, state)
			if err != nil {
				return err
			}
			v, err := audit.NewVerifier(pub)
			if err != nil {
				return err
			}
			for _, f := range files {
				if err := verifyFile(v, f); err != nil {
					return err
				}
			}
			r := v.Report()
			if err := r.WriteText(c.OutOrStdout()); err != nil {
				return err
			}
			if !r.OK() {
				return errSaid{errors.New("the record is not whole")}
			}
			return nil
		},
	}
	stateFlag(c, &state, "it has the key")
	c.Flags().StringVar(&key, "key", "", "public or private key in PEM; else that of the state folder")
	return c
}

// auditKey is the public key of a file, or else that of a state folder.
func auditKey(file, state string) (ed25519.PublicKey, error) {
	if file != "" {
		return token.LoadPublic(file)
	}
	pub, err := token.LoadPublic(laptop.AuditKey(state))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: give the state folder of the gateway that wrote the record (--state), or the key's file (--key)", err)
	}
	return pub, err
}

func verifyFile(v *audit.Verifier, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open record: %w", err)
	}
	defer f.Close()
	return v.Add(path, f)
}

func newAuditShow() *cobra.Command {
	var txn string
	var since time.Duration
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show transactions as trees: what was tried, allowed or denied, and why",
		Long: strings.TrimSpace(`
Show reads a record and draws each transaction as a tree: the agents, what each one
tried, the rule that allowed it or the reason why not, and how it ended. Text of
agents is quoted and escaped.`),
		Example: `  hopgate audit show audit.jsonl --txn 97053963
  hopgate audit show audit.jsonl --since 1h`,
		Args: cobra.ExactArgs(1),
	}
	output := outputFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		filter := audit.Filter{Txn: txn}
		if since > 0 {
			filter.Since = time.Now().Add(-since)
		}
		trees, err := readTrees(args[0], filter)
		if err != nil {
			return err
		}
		if output.value == "json" {
			return audit.WriteTreesJSON(c.OutOrStdout(), trees)
		}
		return audit.WriteTrees(c.OutOrStdout(), trees, style(os.Stdout))
	}
	c.Flags().StringVar(&txn, "txn", "", "one transaction only")
	c.Flags().DurationVar(&since, "since", 0, "what was decided in this time only")
	return c
}

func readTrees(path string, filter audit.Filter) ([]*audit.Tree, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	defer f.Close()
	b := audit.NewBuilder(filter)
	if _, err := b.Read(f); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return b.Trees(), nil
}
