package surface_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

func reason(err error) surface.Reason {
	var e *surface.Unreadable
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

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

func TestResembles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, known string
		want        bool
	}{
		{"name", "name", true},
		{"Name", "name", true},
		{"NAME", "name", true},
		{"na_me", "name", true},
		{"na-me", "name", true},
		{" name", "name", true},
		{"name\x00", "name", true},
		{"name\x00x", "name", false},
		{"$name[]", "name", true},
		{"param\u017f", "params", true},
		{"to\u212aen", "token", true},
		{"max_tokens", "maxTokens", true},
		{"names", "name", false},
		{"nam", "name", false},
		{"", "name", false},
		{"", "_", true},
		{"n\u0430me", "name", false}, // a Cyrillic letter: no reader folds it
		{"name2", "name", false},
		{"\xffname", "name", true},
	} {
		if got := surface.Resembles(tc.name, tc.known); got != tc.want {
			t.Errorf("Resembles(%q, %q) = %v", tc.name, tc.known, got)
		}
	}
}

// Whatever encoding/json takes for a field resembles the field's name.
func FuzzResembles(f *testing.F) {
	for _, s := range []string{"arguments", "ARGUMENTS", "argument\u017f", "arg_uments", "x", "arguments\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Skip()
		}
		var got struct {
			Arguments int `json:"arguments"`
		}
		if err := json.Unmarshal([]byte("{"+string(quoted)+":1}"), &got); err != nil {
			t.Skip()
		}
		if got.Arguments == 1 && !surface.Resembles(name, "arguments") {
			t.Errorf("encoding/json takes %q for arguments", name)
		}
		if name != "arguments" && surface.Resembles(name, "arguments") != surface.Variant(name, "arguments") {
			t.Errorf("Variant and Resembles differ on %q", name)
		}
	})
}

func TestVariant(t *testing.T) {
	t.Parallel()
	if surface.Variant("name", "name", "uri") {
		t.Error("a name is a variant of itself")
	}
	if !surface.Variant("URI", "name", "uri") {
		t.Error("URI is no variant of uri")
	}
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"search": true, "a b": true, "büro": true, "": false, " a": false, "a ": false, "a\u00a0": false,
		"a\x00b": false, "a\nb": false, "a\x7f": false, "a\u0085b": false,
	} {
		if got := surface.CleanName(s); got != want {
			t.Errorf("CleanName(%q) = %v", s, got)
		}
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	var d strictjson.Doc
	err := surface.FromJSON(d.Parse([]byte(`{"a":1,"a":2}`), strictjson.Limits{}))
	if got, want := err.Error(), "read request: duplicate_key at byte 7"; got != want {
		t.Errorf("FromJSON says %q, want %q", got, want)
	}
	if got, want := surface.Refuse(surface.ReasonBatch).Error(), "read request: batch"; got != want {
		t.Errorf("Refuse says %q, want %q", got, want)
	}
	if err := d.Parse([]byte(`{"a":[1]}`), strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	a, _ := d.Root().Member("a")
	if got, want := surface.RefuseAt(surface.ReasonParams, a).Error(), "read request: params at byte 5"; got != want {
		t.Errorf("RefuseAt says %q, want %q", got, want)
	}
	if got := reason(surface.FromJSON(errors.New("other"))); got != "syntax" {
		t.Errorf("FromJSON of another error says %q", got)
	}
}

func TestDenialMembers(t *testing.T) {
	t.Parallel()
	full := surface.Denial{Code: "no_rule", Status: 403, Text: "not here", Reason: "x", RequestID: "ab", Retry: "never", Policy: "ns/p", Rule: "r\"1"}
	for _, tc := range []struct {
		in   surface.Denial
		want map[string]string
	}{
		{full, map[string]string{"code": "no_rule", "reason": "x", "request_id": "ab", "retry": "never", "policy": "ns/p", "rule": "r\"1"}},
		{surface.Denial{}, map[string]string{"code": ""}},
	} {
		var got map[string]string
		if err := json.Unmarshal([]byte("{"+string(tc.in.AppendMembers(nil))+"}"), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
	}
	if got := string(full.AppendStatus(nil)); got != "403" {
		t.Errorf("AppendStatus = %s", got)
	}
	if rest := string(full.AppendRest(nil)); strings.Contains(rest, `"code"`) || rest[0] != ',' {
		t.Errorf("AppendRest = %s", rest)
	}
}
