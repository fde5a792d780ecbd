package main

import (
	"errors"
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

It ends with 0 when all is good, 1 when what it was given is wrong, 2 when it was
called wrongly, 3 when the machine lacks something (no Envoy, a port that is taken).`),
		Example: `  hopgate init my-gateway      # a commented folder to start from
  hopgate run -f my-gateway    # the whole product on this machine
  hopgate token sign --help    # a token to try it with`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          help,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		// What is not a command has no flags that it could be wrong about.
		if c.HasSubCommands() && c.Flags().NArg() > 0 {
			err = noCommand(c, c.Flags().Args())
		}
		return misused(c, err)
	})
	root.SetHelpCommand(newHelp())
	root.AddCommand(newInit(), newRun(), newCheck(), newExplain(), newToken(), newCA(), newStreams(), newRevoke(), newQuarantine(), newOrders(), newLift(), newAudit(), newVersion())
	root.InitDefaultHelpCmd()
	completion(root)
	strict(root)
	return root
}

// help is what a command does that has others below it.
func help(c *cobra.Command, _ []string) error { return c.Help() }

// misused is an error in how c was called.
func misused(c *cobra.Command, err error) error {
	return errUsage{fmt.Errorf("%w\nsee '%s --help'", err, c.CommandPath())}
}

// strict makes what is wrong with arguments, and flags that are missing, errors
// of usage, for c and all below it.
func strict(c *cobra.Command) {
	check := c.Args
	if c.HasSubCommands() {
		check = noCommand
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := error(nil)
		if check != nil {
			err = check(c, args)
		}
		if err == nil {
			err = errors.Join(c.ValidateRequiredFlags(), c.ValidateFlagGroups())
		}
		if err != nil {
			return misused(c, err)
		}
		return nil
	}
	for _, below := range c.Commands() {
		strict(below)
	}
}

// noCommand refuses what is left over where a command should be.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	meant := ""
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		meant = "; did you mean " + either(near) + "?"
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), meant)
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about any command",
		Long:    "Help shows what a command does, its flags and examples; --help does the same.",
		Example: "  hopgate help token sign",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about, _, err := c.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, below := range about.Commands() {
				if below.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(below.Name(), below.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = noCommand(about, rest)
			}
			if err != nil {
				return misused(c.Root(), err)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// completion adds cobra's command for shells, with examples.
func completion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.RunE = help
		c.Example = "  source <(hopgate completion bash)"
		for shell, example := range map[string]string{
			"bash":       "  hopgate completion bash > /etc/bash_completion.d/hopgate",
			"zsh":        `  hopgate completion zsh > "${fpath[1]}/_hopgate"`,
			"fish":       "  hopgate completion fish > ~/.config/fish/completions/hopgate.fish",
			"powershell": "  hopgate completion powershell | Out-String | Invoke-Expression",
		} {
			if below, _, err := c.Find([]string{shell}); err == nil {
				below.Example = example
			}
		}
	}
}
