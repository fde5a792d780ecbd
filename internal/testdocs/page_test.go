package testdocs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// page is one Markdown file.
type page struct {
	name   string // from the root
	text   string
	blocks []block
}

// block is one fenced block, with what its marker says.
type block struct {
	page, lang string
	// line is that of the first line of text.
	line int
	text string
	// verb is skip, client, if, file or shown; type or stop, which have no block; empty:
	// there is no marker.
	verb, arg string
}

func (b block) at() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// pages are the README and all of docs.
func pages(t *testing.T) []page {
	t.Helper()
	root := testenv.Root(t)
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []page
	for _, f := range append([]string{filepath.Join(root, "README.md")}, files...) {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, f)
		if err != nil {
			t.Fatal(err)
		}
		p := page{name: filepath.ToSlash(name), text: string(raw)}
		if p.blocks, err = blocks(p.name, p.text); err != nil {
			t.Error(err)
		}
		out = append(out, p)
	}
	return out
}

// blocks reads the fenced blocks of a page.
func blocks(name, text string) ([]block, error) {
	marker := regexp.MustCompile(`^<!-- test: (skip|client|if|file|shown|type|stop)(?: (.*))? -->$`)
	var out []block
	var verb, arg string
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "<!-- test:") {
			m := marker.FindStringSubmatch(line)
			if m == nil || (m[2] == "") != (m[1] == "shown" || m[1] == "stop") {
				return nil, fmt.Errorf("%s:%d: a marker that says nothing: %s", name, i+1, line)
			}
			if m[1] == "type" || m[1] == "stop" {
				out = append(out, block{page: name, lang: "sh", line: i + 1, verb: m[1], text: m[2] + "\n"})
				continue
			}
			verb, arg = m[1], m[2]
			continue
		}
		lang, fence := strings.CutPrefix(line, "```")
		if !fence {
			if strings.TrimSpace(line) != "" && verb != "" {
				return nil, fmt.Errorf("%s:%d: a marker before what is no block", name, i+1)
			}
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end] != "```" {
			end++
		}
		if end == len(lines) {
			return nil, fmt.Errorf("%s:%d: a block without an end", name, i+1)
		}
		out = append(out, block{
			page: name, lang: lang, line: i + 2, verb: verb, arg: arg,
			text: strings.Join(lines[i+1:end], "\n") + "\n",
		})
		verb, arg, i = "", "", end
	}
	return out, nil
}

// command is one command of a page, and what it must print.
type command struct {
	line int
	text string
	// prints is what is expected; nil: anything, if it ends well.
	prints []string
}

// commands are those of a block of sh or console.
func (b block) commands(complete func(string) bool) []command {
	var out []command
	lines := strings.Split(strings.TrimSuffix(b.text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line, typed := lines[i], true
		if b.lang == "console" {
			line, typed = strings.CutPrefix(line, "$ ")
		}
		switch {
		case !typed && len(out) > 0:
			last := &out[len(out)-1]
			last.prints = append(last.prints, line)
			continue
		case !typed || strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			continue
		}
		c := command{line: b.line + i, text: line}
		for !complete(c.text) && i+1 < len(lines) {
			i++
			c.text += "\n" + strings.TrimPrefix(strings.TrimPrefix(lines[i], ">"), " ")
		}
		out = append(out, c)
	}
	return out
}

// pattern is what a command prints, as an expression. Runs of spaces are one:
// columns are as wide as what is in them.
func pattern(lines []string, open bool) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for _, l := range lines {
		if l == "…" {
			b.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		pieces := strings.Split(plain(l), "…")
		for i := range pieces {
			pieces[i] = regexp.QuoteMeta(pieces[i])
		}
		b.WriteString(strings.Join(pieces, `[^\n]*?`) + `\n`)
	}
	if !open {
		b.WriteString(`$`)
	}
	return regexp.MustCompile(b.String())
}

// plain has one space where there are more, and none at the end of a line.
func plain(text string) string {
	text = regexp.MustCompile(` +`).ReplaceAllString(text, " ")
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, "")
}
