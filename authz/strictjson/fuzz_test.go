package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// ours are the reasons for refusing what encoding/json accepts.
var ours = map[strictjson.Reason]bool{
	strictjson.ReasonDuplicate: true, strictjson.ReasonUTF8: true, strictjson.ReasonSurrogate: true,
	strictjson.ReasonNumber: true, strictjson.ReasonDepth: true, strictjson.ReasonNodes: true,
}

func seeds(f *testing.F) {
	for _, s := range []string{
		sample, ``, ` `, `{}`, `[]`, `{"a":{"a":1},"b":[{"a":2}]}`, `{"a":1,"\u0061":2}`, `"\ud83d\ude00"`, `"\ud800"`,
		"\xef\xbb\xbf{}", "\"\xff\"", `[1e999]`, `1e-5`, `0.1E+2`, `[[[[[[]]]]]]`, `{"a":1} x`, `[1,]`, `"` + strings.Repeat("é", 20) + `"`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"\u006a":10}`, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`,
	} {
		f.Add([]byte(s))
	}
}

// What is accepted means the same to encoding/json; what is refused, it
// refuses too, or it is for one of our own reasons.
func FuzzAgainstEncodingJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		var d strictjson.Doc
		err := d.Parse(in, strictjson.Limits{})
		if err != nil {
			var e *strictjson.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(in) {
				t.Fatalf("unfit error %#v", err)
			}
			if json.Valid(in) && !ours[e.Reason] {
				t.Fatalf("refused for %s, encoding/json accepts", e.Reason)
			}
			d.ReadBefore("id")
			return
		}
		dec := json.NewDecoder(bytes.NewReader(in))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("accepted, encoding/json refuses: %v", err)
		}
		if _, err := dec.Token(); err != io.EOF {
			t.Fatalf("accepted, encoding/json sees more: %v", err)
		}
		sameValue(t, d.Root(), want)
		if diff := cmp.Diff(d.Root().Any(), d.Root().Clone().Any()); diff != "" {
			t.Fatalf("clone differs:\n%s", diff)
		}
	})
}

func sameValue(t *testing.T, v strictjson.Value, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		if v.Kind() != strictjson.Object || v.Len() != len(w) {
			t.Fatalf("%s is no object of %d", v.Raw(), len(w))
		}
		for name, x := range w {
			m, ok := v.Member(name)
			if !ok {
				t.Fatalf("%s has no %q", v.Raw(), name)
			}
			sameValue(t, m, x)
		}
	case []any:
		i := 0
		for e := range v.Elems() {
			sameValue(t, e, w[i])
			i++
		}
		if v.Kind() != strictjson.Array || i != len(w) || v.Len() != i {
			t.Fatalf("%s is no array of %d", v.Raw(), len(w))
		}
	default:
		sameScalar(t, v, want)
	}
}

func sameScalar(t *testing.T, v strictjson.Value, want any) {
	t.Helper()
	switch w := want.(type) {
	case json.Number:
		f, ok := v.Float()
		wf, err := w.Float64()
		if !ok || err != nil || f != wf || string(v.Raw()) != w.String() {
			t.Fatalf("%s is not %s", v.Raw(), w)
		}
		if wi, err := w.Int64(); err == nil {
			if i, ok := v.Int(); !ok || i != wi {
				t.Fatalf("%s: Int = %d, %v", w, i, ok)
			}
		}
		if i, ok := v.Int(); ok && float64(i) != wf {
			t.Fatalf("%s: Int = %d", w, i)
		}
	case string:
		if s, ok := v.Text(); !ok || s != w || !v.Is(w) {
			t.Fatalf("%s is %q, want %q", v.Raw(), s, w)
		}
	case bool:
		if b, ok := v.Bool(); !ok || b != w {
			t.Fatalf("%s is not %v", v.Raw(), w)
		}
	case nil:
		if v.Kind() != strictjson.Null {
			t.Fatalf("%s is not null", v.Raw())
		}
	}
}

// Keeping less changes neither what is accepted nor what is kept.
func FuzzKeep(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		var all, few strictjson.Doc
		errAll := all.Parse(in, strictjson.Limits{})
		errFew := few.Parse(in, strictjson.Limits{Keep: 1})
		if diff := cmp.Diff(errAll, errFew); diff != "" {
			t.Fatalf("refusals differ:\n%s", diff)
		}
		if diff := cmp.Diff(all.Root().Any(), few.Root().Any()); diff != "" {
			t.Fatalf("values differ:\n%s", diff)
		}
	})
}
