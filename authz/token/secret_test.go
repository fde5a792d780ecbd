package token

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Whatever is done with a token, it does not show itself.
func TestSecretNeverShowsItself(t *testing.T) {
	t.Parallel()
	raw := ed().claims()
	s := Secret(raw)
	holder := struct {
		Token  Secret
		Tokens map[string]Secret
		Any    any
	}{s, map[string]Secret{"a": s}, s}
	for _, form := range []any{s, &s, holder, &holder, []Secret{s}, [1]Secret{s}, map[string]Secret{"a": s}} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGs!" {
			for _, flag := range []string{"", "+", "#", " ", "-9", "09.3"} {
				conceals(t, raw, fmt.Sprintf("%"+flag+string(verb), form))
			}
		}
		conceals(t, raw, fmt.Sprint(form), fmt.Sprintln("x", form))
		encoded, err := json.Marshal(form)
		if err != nil {
			t.Fatal(err)
		}
		conceals(t, raw, string(encoded))
		if !strings.Contains(string(encoded), "[token]") {
			t.Errorf("nothing stands in its place: %s", encoded)
		}
		var out bytes.Buffer
		for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
			l.Info("a token", "token", form, slog.Group("group", "token", form))
			l.With("token", form).Info("again")
		}
		conceals(t, raw, out.String())
	}
	if string(s) != raw {
		t.Error("it cannot be handed on")
	}
}

// Claims, and what is said of a token that is refused, have nothing of it.
func TestClaimsNeverShowTheToken(t *testing.T) {
	t.Parallel()
	raw := ed().claims()
	c := wants(t, corp(), raw, "")
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("claims", "claims", c, "value", *c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("claims", "claims", c, "value", *c)
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	conceals(t, raw, out.String(), string(encoded))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		conceals(t, raw, fmt.Sprintf(verb, c), fmt.Sprintf(verb, *c))
	}
	for _, a := range attacks() {
		i := Inspect(t.Context(), now(), a.raw, nil, Peer{}, corpKeys())
		for _, check := range i.Checks {
			if len(a.raw) > 64 && strings.Contains(a.raw, ".") {
				conceals(t, a.raw, check.Detail, (&Rejection{check.Reason, check.Detail}).Error())
			}
		}
	}
}

func TestRejection(t *testing.T) {
	t.Parallel()
	var err error = &Rejection{ReasonBadType, "its typ is not x"}
	var rej *Rejection
	if err.Error() != "bad_type: its typ is not x" || (&Rejection{Reason: ReasonExpired}).Error() != "expired" || !errors.As(err, &rej) {
		t.Error(err)
	}
	for r, want := range map[Reason]string{
		"": "", ReasonExpired: "token_expired", ReasonTransaction: "token_transaction_too_long", ReasonKeySource: "key_source_unavailable", ReasonOverloaded: "overloaded",
	} {
		if r.Code() != want {
			t.Errorf("the code of %q is %q", r, r.Code())
		}
	}
}

// conceals fails where one of texts has a part of a token from which more than
// its public header could be had.
func conceals(t testing.TB, raw string, texts ...string) {
	t.Helper()
	_, sig := cutLast(raw)
	middle := raw[len(raw)/2:]
	for _, text := range texts {
		for _, secret := range []string{sig[:min(12, len(sig))], middle[:min(24, len(middle))]} {
			for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
				if secret != "" && strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
					t.Errorf("the token is shown in %q", text)
				}
			}
		}
	}
}
