package surface_test

import (
	"testing"

	"github.com/hopgate/hopgate/authz/surface"
)

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	one, none := surface.One, surface.Field{}
	twice := surface.Field{Value: "application/json", Count: 2}
	for _, tc := range []struct {
		name           string
		kind, encoding surface.Field
		want           surface.Reason
	}{
		{"plain", one("application/json"), none, ""},
		{"charset", one("application/json; charset=utf-8"), none, ""},
		{"charset, upper case, no space", one("application/json;charset=UTF-8"), none, ""},
		{"charset, spaces around", one("application/json; \tCharset=Utf-8 "), none, ""},
		{"identity", one("application/json"), one("identity"), ""},
		{"identity, upper case", one("application/json"), one("Identity"), ""},
		{"none", none, none, surface.ReasonContentType},
		{"empty", one(""), none, surface.ReasonContentType},
		{"text", one("text/plain"), none, surface.ReasonContentType},
		{"form", one("application/x-www-form-urlencoded"), none, surface.ReasonContentType},
		{"longer", one("application/jsonx"), none, surface.ReasonContentType},
		{"problem", one("application/problem+json"), none, surface.ReasonContentType},
		{"other case", one("Application/JSON"), none, surface.ReasonContentType},
		{"UTF-16", one("application/json; charset=utf-16"), none, surface.ReasonContentType},
		{"quoted charset", one(`application/json; charset="utf-8"`), none, surface.ReasonContentType},
		{"two charsets", one("application/json; charset=utf-8; charset=utf-16"), none, surface.ReasonContentType},
		{"empty parameter", one("application/json;"), none, surface.ReasonContentType},
		{"space before the semicolon", one("application/json ; charset=utf-8"), none, surface.ReasonContentType},
		{"two values in one", one("application/json, text/plain"), none, surface.ReasonContentType},
		{"two values", twice, none, surface.ReasonDoubledHeader},
		{"multipart", one("multipart/form-data; boundary=x"), none, surface.ReasonMultipart},
		{"gzip", one("application/json"), one("gzip"), surface.ReasonContentEncoding},
		{"identity and gzip", one("application/json"), one("identity, gzip"), surface.ReasonContentEncoding},
		{"empty encoding", one("application/json"), one(""), surface.ReasonContentEncoding},
		{"two encodings", one("application/json"), surface.Field{Value: "identity", Count: 2}, surface.ReasonDoubledHeader},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := reason(surface.CheckJSON(tc.kind, tc.encoding)); got != tc.want {
				t.Errorf("CheckJSON = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestFieldAdd(t *testing.T) {
	t.Parallel()
	var f surface.Field
	f.Add("a")
	f.Add("b")
	if want := (surface.Field{Value: "b", Count: 2}); f != want {
		t.Errorf("two values make %+v, want %+v", f, want)
	}
}
