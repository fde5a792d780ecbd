package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func newToken() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make a transaction token to try with, or look at one",
		Long: strings.TrimSpace(`
A transaction token (Txn-Token) says for whom, in which transaction and by which
agent a hop is made. A service issues them; on one machine 'token sign' does, with a
key in the state folder that 'hopgate run' believes.`),
		Example: `  TOKEN=$(hopgate token sign --subject alice --agent researcher)
  echo "$TOKEN" | hopgate token inspect`,
		RunE: help,
	}
	c.AddCommand(newTokenSign(), newTokenInspect())
	return c
}

// showJSON lays JSON out for a terminal. Whatever is not plain ASCII is escaped:
// what a token says can neither move the cursor nor look like something else.
func showJSON(raw []byte) (string, error) {
	var laid bytes.Buffer
	// Indent leaves the white space that stands behind.
	if err := json.Indent(&laid, bytes.Trim(raw, " \t\r\n"), "", "  "); err != nil {
		return "", fmt.Errorf("lay out JSON: %w", err)
	}
	var b strings.Builder
	for rest := laid.Bytes(); len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		rest = rest[n:]
		switch {
		case r == '\n' || (r >= ' ' && r < 0x7f):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String(), nil
}
