package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/translate"
)

func newCheck() *cobra.Command {
	var paths []string
	var state string
	var ca laptop.CAFiles
	c := &cobra.Command{
		Use:   "check -f PATH...",
		Short: "Say what run would say about files, and the status each object would get",
		Long: strings.TrimSpace(`
Check reads files as run does, and starts nothing. It shows every problem with its
file and line, and for each object the status it would have in Kubernetes. With
-o yaml or json it prints the objects with their status, and all that was assumed:
the built-in Gateway and TrustDomain among it. It ends with 1 if anything is not good.`),
		Example: `  hopgate check -f my-gateway
  hopgate check -f my-gateway -o yaml`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(c, "text", "yaml", "json")
	fileFlag(c, &paths)
	must(c.MarkFlagRequired("file"))
	stateFlag(c, &state, "for the local key, and the CA")
	caFlags(c, &ca)
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := laptop.LookWith(paths, state, ca, time.Now())
		if err != nil {
			return err
		}
		if err := showReview(c.OutOrStdout(), r, output.value); err != nil {
			return err
		}
		if !r.Good() {
			return errSaid{errors.New("not everything is good")}
		}
		return nil
	}
	return c
}

func showReview(w io.Writer, r *laptop.Review, output string) error {
	switch output {
	case "yaml":
		return reviewYAML(w, r)
	case "json":
		return reviewJSON(w, r)
	default:
		return reviewText(w, r)
	}
}

func reviewText(w io.Writer, r *laptop.Review) error {
	for _, p := range r.Worst() {
		if _, err := fmt.Fprintf(w, "%s: %s\n", p.Severity, p); err != nil {
			return err
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "OBJECT\tSTATUS\tWHERE\tMESSAGE")
	for _, o := range r.Objects {
		where := "assumed"
		if o.Origin.File != "" {
			where = fmt.Sprintf("%s:%d", o.Origin.File, o.Origin.Line)
		}
		for i, row := range reviewRows(o.Status) {
			name := o.Ref.String()
			if i > 0 {
				name, where = "", ""
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", name, row[0], where, row[1])
		}
	}
	return tw.Flush()
}

// reviewRows are what is wrong with an object, or one row that says it is
// good.
func reviewRows(s *translate.Status) [][2]string {
	if s == nil {
		return [][2]string{{"-", ""}}
	}
	var rows [][2]string
	for _, f := range s.Faults() {
		rows = append(rows, [2]string{"not good", fault(f.Place, f.Type, f.Reason, f.Message)})
	}
	if len(rows) == 0 {
		rows = append(rows, [2]string{"good", ""})
	}
	for _, f := range s.Remarks() {
		rows = append(rows, [2]string{"note", fault(f.Place, "", "", f.Message)})
	}
	return rows
}

func reviewYAML(w io.Writer, r *laptop.Review) error {
	for _, o := range r.Objects {
		text, err := yaml.Marshal(o.Value)
		if err != nil {
			return fmt.Errorf("write %s: %w", o.Ref, err)
		}
		note := ""
		switch {
		case o.Assumed && o.Origin.File != "":
			note = fmt.Sprintf("# %s:%d, and what it attaches to was assumed\n", audit.Display(o.Origin.File, 0), o.Origin.Line)
		case o.Assumed:
			note = "# assumed\n"
		}
		if _, err := fmt.Fprintf(w, "---\n%s%s", note, text); err != nil {
			return err
		}
	}
	return nil
}

func reviewJSON(w io.Writer, r *laptop.Review) error {
	type object struct {
		Object  any    `json:"object"`
		Assumed bool   `json:"assumed,omitempty"`
		File    string `json:"file,omitempty"`
		Line    int    `json:"line,omitempty"`
	}
	out := struct {
		Good     bool     `json:"good"`
		Problems []string `json:"problems"`
		Objects  []object `json:"objects"`
	}{Good: r.Good(), Problems: []string{}, Objects: []object{}}
	for _, p := range r.Worst() {
		out.Problems = append(out.Problems, fmt.Sprintf("%s: %s", p.Severity, p))
	}
	for _, o := range r.Objects {
		out.Objects = append(out.Objects, object{Object: o.Value, Assumed: o.Assumed, File: o.Origin.File, Line: o.Origin.Line})
	}
	return writeJSON(w, out)
}
