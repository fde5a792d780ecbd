package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// body2KiB is a tool call as agents send them.
func body2KiB() []byte {
	var items []string
	for i := range 12 {
		items = append(items, fmt.Sprintf(`{"path":"src/pkg%d/file.go","line":%d,"ok":true}`, i, i*17))
	}
	return []byte(`{"jsonrpc":"2.0","id":12345,"method":"tools/call","params":{"_meta":{"progressToken":"p-1"},"name":"search_code",` +
		`"arguments":{"repo":"acme/widgets","query":"` + strings.Repeat("find the parser, then ", 55) + `\n","limit":50,"files":[` +
		strings.Join(items, ",") + `],"region":"eu","dry":false}}}`)
}

func BenchmarkParse2KiB(b *testing.B) {
	in := body2KiB()
	var d strictjson.Doc
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(in, strictjson.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse2KiBEncodingJSON(b *testing.B) {
	in := body2KiB()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := json.Unmarshal(in, &v); err != nil {
			b.Fatal(err)
		}
	}
}

// Worst cases, each 1 MiB: time per byte must stay near that of common bodies.
func BenchmarkWorst(b *testing.B) {
	const size = 1 << 20
	fill := func(open, part, end string) []byte {
		return []byte(open + strings.Repeat(part, (size-len(open)-len(end))/len(part)) + end)
	}
	var names strings.Builder
	for i := 0; names.Len() < size; i++ {
		fmt.Fprintf(&names, `"%x":0,`, i)
	}
	for name, in := range map[string][]byte{
		"numbers":    fill("[", "1,", "1]"),
		"objects":    fill("[", "{},", "{}]"),
		"names":      []byte("{" + names.String() + `"":0}`),
		"escapes":    fill(`"`, `\u00e9`, `"`),
		"wide":       fill(`"`, "日本語", `"`),
		"text":       fill(`"`, "x", `"`),
		"exponents":  fill("[", "1e100,", "1]"),
		"nine names": fill("[", `{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0},`, "1]"),
		"spaces":     fill("[", " ", "1]"),
	} {
		b.Run(name, func(b *testing.B) {
			var d strictjson.Doc
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Parse(in, strictjson.Limits{Nodes: size}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
