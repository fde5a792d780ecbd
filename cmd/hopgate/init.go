package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// start is the folder that init writes.
//
//go:embed start
var start embed.FS

func newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Write a commented folder to start from",
		Long: strings.TrimSpace(`
Init writes a folder with a first policy, and with examples of more that are
commented out. It makes the folder where there is none, and never writes over a
file: then it says which one is there, and writes nothing.`),
		Example: `  hopgate init my-gateway
  hopgate init .`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := args[0]
			written, err := writeStart(dir)
			for _, path := range written {
				fmt.Fprintln(c.OutOrStdout(), "wrote", path)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), next, shellWord(dir))
			return err
		},
	}
}

// next is what to do with the folder.
const next = `
next:
  hopgate check -f %[1]s
  hopgate run -f %[1]s        # in another terminal
  TOKEN=$(hopgate token sign --subject alice --agent researcher)
  curl -x "http://agent:$TOKEN@127.0.0.1:3128" https://example.com/
`

// writeStart writes the files into dir, or none if one is there.
func writeStart(dir string) (written []string, err error) {
	files, err := fs.Sub(start, "start")
	if err != nil {
		return nil, fmt.Errorf("read what to start from: %w", err)
	}
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("read what to start from: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, there(path, err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		return nil, fmt.Errorf("make folder: %w", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return written, fmt.Errorf("read what to start from: %w", err)
		}
		path := filepath.Join(dir, name)
		if err := writeNew(path, text); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}

// there is why a file is not written where Lstat gave err.
func there(path string, err error) error {
	if err != nil {
		return fmt.Errorf("look for files: %w", err)
	}
	return fmt.Errorf("%s is there already: nothing was written", path)
}

// writeNew writes a file where there is none.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // nothing in it is secret
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// shellWord is s as one word of a POSIX shell.
func shellWord(s string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_./:@%+,][A-Za-z0-9_./:@%+,-]*$`).MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
