package serve

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWords bounds what is kept of a refusal, in bytes.
const maxWords = 1024

// withheld stands for what Envoy says of a secret: its words may quote it.
const withheld = "refused; Envoy's words are withheld because they may quote the secret"

// refusalWords is what Envoy said, fit for a status, a log or a terminal: one
// line of bounded length. Envoy quotes what users wrote.
func refusalWords(typeURL, said string) string {
	if typeURL == TypeSecret {
		return withheld
	}
	return oneLine(said)
}

func oneLine(s string) string {
	if len(s) > 4*maxWords {
		s = s[:4*maxWords]
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), breaks), " ")
	if s == "" {
		return "refused without a word"
	}
	return cut(s, maxWords)
}

// breaks reports what does not belong into a line: spaces of every kind,
// control characters, and those that change the direction of text.
func breaks(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// cut shortens s to n bytes at most, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
