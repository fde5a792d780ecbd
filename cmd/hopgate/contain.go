package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
)

type orderFlags struct {
	ask    admin.Ask
	except []string
	state  string
	output *choice
}

const kindsHelp = `
  agent NAME     an agent, wherever it stands in the chain of actors
  subject NAME   every transaction for a user or a system
  txn ID         every hop of a transaction
  token NAME     one token, by its name in records: 16 hexadecimal digits
  peer NAME      a workload, by its SPIFFE ID, or the address it was captured from`

func newRevoke() *cobra.Command {
	var f orderFlags
	c := &cobra.Command{
		Use:   "revoke KIND VALUE",
		Short: "Take a token, a transaction or an agent's rights back, now",
		Long: strings.TrimSpace(`
Revoke has the gateway that runs on the state folder deny every new hop of what it
names, and ends those that live, at once. It holds until everything that was given
before has expired, also over a restart: it is on disk before this command ends.

KIND and VALUE are one of:` + kindsHelp),
		Example: `  hopgate revoke txn 97053963-771d-49cc-a4e3-20aad399c312
  hopgate revoke token 0123456789abcdef --reason "leaked in a log"`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f.ask.Verb, f.ask.Kind, f.ask.Value = contain.VerbRevoke, contain.Kind(args[0]), args[1]
			return order(c.Context(), c.OutOrStdout(), &f)
		},
		ValidArgsFunction: completeKind,
	}
	orderFlagsOn(c, &f, "as long as anything that was given can live")
	return c
}

func newQuarantine() *cobra.Command {
	var f orderFlags
	c := &cobra.Command{
		Use:   "quarantine KIND VALUE",
		Short: "Cut an agent, a subject or a workload off for a time",
		Long: strings.TrimSpace(`
Quarantine has the gateway that runs on the state folder deny every new hop of what it
names, but to the places that stay open, and ends those that live, at once. It holds
until its time is over or it is lifted, also over a restart.

KIND and VALUE are one of:` + kindsHelp),
		Example: `  hopgate quarantine agent researcher --for 1h --reason "it opens tickets"
  hopgate quarantine subject alice --except Service/default/log
  hopgate orders                     # what is cut off now
  hopgate lift 3f9c01aa52be7710      # before its time is over`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f.ask.Verb, f.ask.Kind, f.ask.Value = contain.VerbQuarantine, contain.Kind(args[0]), args[1]
			return order(c.Context(), c.OutOrStdout(), &f)
		},
		ValidArgsFunction: completeKind,
	}
	orderFlagsOn(c, &f, admin.DefaultQuarantine.String())
	c.Flags().StringArrayVar(&f.except, "except", nil, "a place that stays open: KIND/NAMESPACE/NAME of a backend, or a host; may be repeated")
	return c
}

func orderFlagsOn(c *cobra.Command, f *orderFlags, life string) {
	fl := c.Flags()
	fl.StringVar(&f.ask.For, "for", "", "how long, as 90m; empty: "+life)
	fl.StringVar(&f.ask.Reason, "reason", "", "why, for people")
	fl.StringVar(&f.ask.Domain, "trust-domain", "", "in which trust domain VALUE means something; empty: the only one")
	stateFlag(c, &f.state, "the gateway that runs on it is told")
	f.output = outputFlag(c, "text", "json")
}

func completeKind(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{"agent", "subject", "txn", "token", "peer"}, cobra.ShellCompDirectiveNoFileComp
}

func order(ctx context.Context, out io.Writer, f *orderFlags) error {
	if !f.ask.Kind.Known() {
		return errUsage{fmt.Errorf("KIND is agent, subject, txn, token or peer, not %q", f.ask.Kind)}
	}
	for _, p := range f.except {
		place, err := placeOf(p)
		if err != nil {
			return err
		}
		f.ask.Except = append(f.ask.Except, place)
	}
	client, err := admin.NewClient(f.state)
	if err != nil {
		return err
	}
	done, err := client.Order(ctx, f.ask)
	if err != nil {
		return err
	}
	if f.output.value == "json" {
		return json.NewEncoder(out).Encode(done)
	}
	o := &done.Order
	_, err = fmt.Fprintf(out, "%s: %s %s is cut off until %s; streams ended: %d\n",
		o.ID, o.Kind, audit.Display(o.Value, maxShownWords), o.Until.Format(time.RFC3339), done.Ended)
	return err
}

// placeOf reads a place: what has slashes is a backend. A place that nothing
// can be would stay as shut as all others, and nobody would know why.
func placeOf(s string) (contain.Place, error) {
	if strings.Contains(s, "/") {
		parts := strings.Split(s, "/")
		if len(parts) != 3 || !slices.Contains(backendKinds(), parts[0]) || parts[1] == "" || parts[2] == "" {
			return contain.Place{}, errUsage{fmt.Errorf(
				"--except %q is no backend: want KIND/NAMESPACE/NAME, as Service/default/tools, where KIND is %s; a host has no slash", s, either(backendKinds()))}
		}
		return contain.Place{Backend: s}, nil
	}
	if _, err := netip.ParseAddr(s); err != nil && !hostGlob(s) {
		return contain.Place{}, errUsage{fmt.Errorf(
			"--except %q is no host: want a name in lower case or a glob of one, as *.example.com, without scheme and port", s)}
	}
	return contain.Place{Host: s}, nil
}

// backendKinds are the kinds of backends.
func backendKinds() []string { return []string{"Service", "XBackend"} }

// hostGlob reports whether s can be a host or a glob of hosts.
func hostGlob(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") == ""
}

func newOrders() *cobra.Command {
	var state string
	var output *choice
	c := &cobra.Command{
		Use:   "orders",
		Short: "Show what is revoked and quarantined, and until when",
		Long: strings.TrimSpace(`
Orders shows every revocation and quarantine that stands in the gateway that runs on
the state folder: those that people gave, and those that are objects.`),
		Example: `  hopgate orders
  hopgate orders -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := admin.NewClient(state)
			if err != nil {
				return err
			}
			list, err := client.Orders(c.Context())
			if err != nil {
				return err
			}
			return writeOrders(c.OutOrStdout(), list, output.value)
		},
	}
	stateFlag(c, &state, "the gateway that runs on it is asked")
	output = outputFlag(c, "text", "json")
	return c
}

func writeOrders(out io.Writer, list []contain.Order, output string) error {
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
		_, err := fmt.Fprintln(out, "nothing is revoked or quarantined")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tVERB\tKIND\tVALUE\tTRUST DOMAIN\tUNTIL\tREASON")
	for i := range list {
		o := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.ID, o.Verb, o.Kind, dash(o.Value), dash(o.Domain),
			o.Until.Format(time.RFC3339), dash(o.Reason))
	}
	return w.Flush()
}

func newLift() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use:   "lift ID",
		Short: "End a revocation or a quarantine before its time",
		Long: strings.TrimSpace(`
Lift ends an order that a person gave, in the gateway that runs on the state folder; its
ID is in 'hopgate orders'. An order that is an object ends with the object.`),
		Example: "  hopgate lift 3f9c01aa52be7710",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "" {
				return errUsage{errors.New("ID is empty: 'hopgate orders' has it")}
			}
			client, err := admin.NewClient(state)
			if err != nil {
				return err
			}
			o, err := client.Lift(c.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s %s is cut off no more by this\n", o.ID, o.Kind, audit.Display(o.Value, maxShownWords))
			return err
		},
	}
	stateFlag(c, &state, "the gateway that runs on it is told")
	return c
}

// notRunning reports whether an error is that of a gateway which is not there,
// or cannot be reached any more.
func notRunning(err error) bool {
	return errors.Is(err, admin.ErrNotRunning) || errors.Is(err, admin.ErrSocketGone)
}
