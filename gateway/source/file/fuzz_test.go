package file

import (
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/hopgate/hopgate/gateway/source/schema"
)

// FuzzDocuments reads documents of any text. What was meant to close something,
// and is no good, stands for something that does; but an XBackend of which the
// host name cannot be read.
func FuzzDocuments(f *testing.F) {
	for _, name := range []string{"broken-kinds", "policies", "policies-odd", "kinds", "first-start"} {
		a, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			for _, c := range split(file.Data) {
				f.Add(c.text, isJSON(file.Name))
			}
		}
	}
	checker := schema.New()
	f.Fuzz(func(t *testing.T, text []byte, json bool) {
		d := &documents{checker: checker, shown: "a", dir: "/d", json: json}
		o := d.read(chunk{line: 1, document: 1, text: text})
		switch {
		case o.state != bad && o.broken != nil:
			t.Errorf("what is not bad is broken: %+v", o.broken)
		case o.state == bad && closing(o.id.ref) && o.id.ref.Kind != kindXBackend && o.broken == nil:
			t.Errorf("%s closes nothing: %v", o.id.ref, o.problems)
		case o.broken == nil:
		case o.broken.Value == nil || o.broken.Broken == nil || o.broken.Hash == "" || o.broken.Ref.Name == "":
			t.Errorf("it is not to be told from others: %+v", o.broken)
		case o.broken.Value.GetName() != o.broken.Ref.Name || o.broken.Value.GetNamespace() != o.broken.Ref.Namespace:
			t.Errorf("%s has the name of another", o.broken.Ref)
		case !o.id.known() != o.broken.Broken.NameUnknown:
			t.Errorf("%+v: it may be another", o.broken.Broken)
		}
	})
}
