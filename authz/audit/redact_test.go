package audit

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJFUzI1NiIsInR5cCI6InR4bnRva2VuK2p3dCJ9.eyJzdWIiOiJhbGljZSJ9.MEUCIQDx-_9"
	tests := []struct{ name, in, want string }{
		{"nothing", "/v1/keys/they.say.hey", "/v1/keys/they.say.hey"},
		{"empty", "", ""},
		{"a token", jwt, "[token]"},
		{"in a path", "/verify/" + jwt + "/now", "/verify/[token]/now"},
		{"in JSON", `{"t":"` + jwt + `"}`, `{"t":"[token]"}`},
		{"after a bearer", "Bearer " + jwt, "Bearer [token]"},
		{"two", jwt + " " + jwt, "[token] [token]"},
		{"without a signature", strings.TrimSuffix(jwt, "MEUCIQDx-_9"), "[token]"},
		{"a header with a space", "eyAiYWxnIjoiRVMyNTYifQ.eyJzdWIiOiJhbGljZSJ9.MEUC", "[token]"},
		{"encrypted, five parts", "eyJhbGciOiJSU0EtT0FFUCJ9.OKOawDo13gRp.48V1_ALb6US04U3b.5eym8TW_c8SuK0lt.XFBoMYUZodetZ", "[token].5eym8TW_c8SuK0lt.XFBoMYUZodetZ"},
		{"behind a run that is none", "eyes-of-blue " + jwt, "eyes-of-blue [token]"},
		{"two parts only", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9"},
		{"a host name", "eyewitness.example.com", "eyewitness.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, found := redact(tt.in, 2048)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if found != (got != tt.in) {
				t.Errorf("found is %v", found)
			}
		})
	}
}

// TestRedactLong shows that a token which the limit would cut is found, and
// that what a flood of near tokens costs does not grow with its square.
func TestRedactLong(t *testing.T) {
	t.Parallel()
	long := "eyJ" + strings.Repeat("A", 9000) + ".eyJzdWIiOiJhbGljZSJ9.AAAA"
	if got, found := redact("x "+long, 100); !found || strings.Contains(got, "AAAAA") {
		t.Errorf("a long token stays: %.40q", got)
	}
	flood := strings.Repeat("ey", 1<<20)
	if _, found := redact(flood, 1<<22); found {
		t.Error("found a token in a flood")
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("/verify/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.MEUC/now")
	f.Add("eyeyeyey.eyeyeyey.eyeyeyey.eyeyeyey")
	f.Fuzz(func(t *testing.T, s string) {
		got, found := redact(s, 1<<20)
		if !found && got != s {
			t.Fatalf("%q became %q", s, got)
		}
		if len(got) > len(s) {
			t.Fatalf("%q grew to %q", s, got)
		}
	})
}
