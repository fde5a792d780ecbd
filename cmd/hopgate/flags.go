package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

// choice is a flag that is one of a few words (pflag.Value).
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "string" }

// Set takes one of the words.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.words, s) {
		return fmt.Errorf("want %s", either(c.words))
	}
	c.value = s
	return nil
}

// either is "a, b or c".
func either(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// outputFlag is how a command shows what it has to say; the first word is the
// default.
func outputFlag(c *cobra.Command, words ...string) *choice {
	f := &choice{value: words[0], words: words}
	c.Flags().VarP(f, "output", "o", either(words))
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
	return f
}

// fileFlag is what is read: without commas that part, since paths may have them.
func fileFlag(c *cobra.Command, paths *[]string) {
	c.Flags().StringArrayVarP(paths, "file", "f", nil, "file or folder with objects; may be repeated")
	must(c.MarkFlagFilename("file", "yaml", "yml", "json"))
}

// stateFlag is the state folder; use says what for.
func stateFlag(c *cobra.Command, state *string, use string) {
	c.Flags().StringVar(state, "state", laptop.DefaultState(os.Getenv), "state folder: "+use)
	must(c.MarkFlagDirname("state"))
}

// must is for wiring that fails only by a defect of the program.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
