package explain

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/hopgate/hopgate/authz/surface"
)

// words are what the hop says in headers and in its query.
func (d *Do) words() surface.Words {
	var kept surface.Kept
	add := func(header bool, m map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if m[name] != "" {
				kept = append(kept, surface.KeptWord{Header: header, Name: name, Word: surface.Word{Text: m[name]}})
			}
		}
	}
	add(true, d.Headers)
	add(false, d.Query)
	return kept
}

// putWord puts a word where it was read from.
func (d *Do) putWord(root, name string, value json.RawMessage) error {
	to := &d.Headers
	if root == "query" {
		to = &d.Query
	}
	if *to == nil {
		*to = map[string]string{}
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return err
	}
	(*to)[name] = text
	return nil
}
