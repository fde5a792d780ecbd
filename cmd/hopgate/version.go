package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/gateway/infra/process"
)

// build is what this program is, and the Envoy it wants.
type build struct {
	Version string `json:"version"`
	// Commit is empty for a build outside a checkout.
	Commit string `json:"commit,omitempty"`
	// Modified: the checkout had changes that are in no commit.
	Modified bool   `json:"modified,omitempty"`
	Time     string `json:"time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Envoy    string `json:"envoy"`
	Floor    string `json:"envoyFloor"`
}

func newBuild(info *debug.BuildInfo) build {
	b := build{
		Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Envoy: process.Wanted().String(), Floor: process.Floor().String(),
	}
	if info == nil {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "vcs.time":
			b.Time = s.Value
		}
	}
	return b
}

// thisBuild is that of the running program.
func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = nil
	}
	return newBuild(info)
}

// version is that of the build: a tag, or the commit.
func version() string { return thisBuild().Version }

func (b build) text(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "hopgate\t%s\n", b.Version)
	if b.Commit != "" {
		note := ""
		if b.Modified {
			note = ", modified"
		}
		fmt.Fprintf(tw, "commit\t%s of %s%s\n", b.Commit, b.Time, note)
	}
	fmt.Fprintf(tw, "go\t%s %s\n", b.Go, b.Platform)
	fmt.Fprintf(tw, "envoy\t%s, at least %s\n", b.Envoy, b.Floor)
	return tw.Flush()
}

func newVersion() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Show the version of hopgate, and the Envoy it is made for",
		Long: strings.TrimSpace(`
Version shows what this program was built from, and which Envoy it is tested with.
An Envoy below the second number is refused: it would not be safe.`),
		Example: `  hopgate version
  hopgate version -o json`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if output.value == "json" {
			return writeJSON(c.OutOrStdout(), thisBuild())
		}
		return thisBuild().text(c.OutOrStdout())
	}
	return c
}

// writeJSON writes v for people and programs.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
