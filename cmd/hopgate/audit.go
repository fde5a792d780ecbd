package main

import (
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
		Args:  usage(cobra.NoArgs),
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
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
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, files []string) error {
			if key == "" {
				key = laptop.AuditKey(state)
			}
			pub, err := token.LoadPublic(key)
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
	c.Flags().StringVar(&state, "state", laptop.DefaultState(os.Getenv), "state folder that has the key")
	c.Flags().StringVar(&key, "key", "", "public or private key in PEM; else that of the state folder")
	return c
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
	var txn, output string
	var since time.Duration
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show transactions as trees: what was tried, allowed or denied, and why",
		Example: `  hopgate audit show audit.jsonl --txn 97053963
  hopgate audit show audit.jsonl --since 1h`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("open record: %w", err)
			}
			defer f.Close()
			filter := audit.Filter{Txn: txn}
			if since > 0 {
				filter.Since = time.Now().Add(-since)
			}
			b := audit.NewBuilder(filter)
			if _, err := b.Read(f); err != nil {
				return fmt.Errorf("read record: %w", err)
			}
			if output == "json" {
				return audit.WriteTreesJSON(c.OutOrStdout(), b.Trees())
			}
			return audit.WriteTrees(c.OutOrStdout(), b.Trees(), style(os.Stdout))
		},
	}
	c.Flags().StringVar(&txn, "txn", "", "one transaction only")
	c.Flags().DurationVar(&since, "since", 0, "what was decided in this time only")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	return c
}
