package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "hopgate",
		Short: "An agent-aware egress gateway: every hop decided, on Envoy",
		Long: strings.TrimSpace(`
Hopgate decides every hop that an agent makes: to a tool (MCP), to a model, to
anywhere (HTTP, CONNECT, TLS). It configures Envoy from Gateway API resources and
decides from transaction tokens; what is not opened by a policy is closed.

Begin with:
  hopgate init my-gateway       a commented folder to start from
  hopgate run -f my-gateway     the whole product on this machine
  hopgate token sign --help     a token to try it with`),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return errUsage{fmt.Errorf("%w\nsee '%s --help'", err, c.CommandPath())}
	})
	root.AddCommand(newRun(), newCheck(), newExplain(), newAudit())
	return root
}

// exactly is cobra's check of arguments as a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return errUsage{fmt.Errorf("%w\nsee '%s --help'", err, c.CommandPath())}
		}
		return nil
	}
}
