package token

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func corpKeys() jwks.Config { return jwks.Config{Now: now} }

func TestInspectGoldens(t *testing.T) {
	t.Parallel()
	signed, sig := cutLast(ed().claims())
	for name, raw := range map[string]string{
		"good":      ed().claims(set("act", `{"sub":"researcher"}`), set("tctx", `{"region":"eu"}`)),
		"expired":   ed().claims(from(moment-1000), until(moment-100)),
		"foreign":   stranger().claims(set("aud", `"elsewhere.example"`)),
		"unsigned":  signed + "." + b64(make([]byte, 64)),
		"many":      issuers()["es256"].token(`{"typ":"JWT","alg":"ES256","kid":"ed"}`, payload(from(moment+100), until(moment+9000), drop("txn"))),
		"garbage":   "this is no token",
		"half":      b64(ed().header()) + "." + b64(`{"sub":"a","sub":"b"}`) + "." + sig,
		"not JSON":  b64("{") + "." + b64("\xff") + "." + sig,
		"no domain": ed().claims(set("aud", `["a","b"]`)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.MarshalIndent(Inspect(t.Context(), now(), raw, []feedv1.TrustDomain{corp()}, Peer{}, corpKeys()), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "inspect/"+strings.ReplaceAll(name, " ", "-")+".json", string(got)+"\n")
			if len(raw) > 100 {
				_, sig := cutLast(raw)
				if strings.Contains(string(got), sig[:20]) {
					t.Error("its signature is shown")
				}
			}
		})
	}
}

// Inspect believes what Verify believes, and for the same reason does not.
func TestInspectAgreesWithVerify(t *testing.T) {
	t.Parallel()
	bound := corp(func(d *feedv1.TrustDomain) { d.Binding = v1alpha1.BindingPeer })
	named := corp(func(d *feedv1.TrustDomain) { d.Issuer = "https://tts"; d.Algorithms = []string{"EdDSA"} })
	keyless := corp(func(d *feedv1.TrustDomain) { d.KeySet.JWKS = []byte(`{"keys":[]}`) })
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			for _, d := range []feedv1.TrustDomain{corp(), bound, named, keyless} {
				for _, p := range []Peer{{}, {SPIFFE: workload}, {SPIFFE: "spiffe://other"}} {
					l := listener(d)
					l.Peers = p.SPIFFE != ""
					_, _, code := verifier(t, d).Verify(t.Context(), now(), a.raw, l, p)
					agrees(t, a.raw, d, p, code)
				}
			}
		})
	}
}

func TestInspectLooksOn(t *testing.T) {
	t.Parallel()
	raw := ed().token(`{"typ":"JWT","alg":"EdDSA","kid":"nobody"}`, payload(until(moment-100)))
	i := Inspect(t.Context(), now(), raw, []feedv1.TrustDomain{corp()}, Peer{}, corpKeys())
	got := map[string]Reason{}
	for _, c := range i.Checks {
		switch {
		case c.Skipped && c.OK:
			t.Errorf("%s is skipped and good", c.Name)
		case c.Skipped:
			got[c.Name] = "skipped"
		case !c.OK:
			got[c.Name] = c.Reason
		}
	}
	want := map[string]Reason{"type": ReasonBadType, "key": ReasonUnknownKey, "signature": "skipped", "lifetime": ReasonExpired}
	if diff := cmp.Diff(want, got); diff != "" || i.Reason != ReasonBadType || i.Domain != "agents/corp" {
		t.Errorf("%+v\n%s", i, diff)
	}
}

// Among several domains, the one of its aud judges.
func TestInspectFindsTheDomain(t *testing.T) {
	t.Parallel()
	other := corp(func(d *feedv1.TrustDomain) { d.Key.Name, d.Audience = "other", "other.example" })
	i := Inspect(t.Context(), now(), ed().claims(set("aud", `"other.example"`)), []feedv1.TrustDomain{corp(), other}, Peer{}, corpKeys())
	if !i.Believed || i.Domain != "agents/other" {
		t.Errorf("%+v", i)
	}
	if i = Inspect(t.Context(), now(), ed().claims(), nil, Peer{}, corpKeys()); i.Believed || i.Reason != ReasonWrongDomain || i.Domain != "" {
		t.Errorf("of nobody: %+v", i)
	}
}

// Keys that have to be fetched are fetched once.
func TestInspectFetchesKeys(t *testing.T) {
	t.Parallel()
	k := &keyServer{}
	k.serves("ed")
	for _, tt := range []struct {
		name, raw string
		down      bool
		want      Reason
	}{
		{"a good token", ed().claims(), false, ""},
		{"an unknown key", issuers()["es256"].claims(), false, ReasonUnknownKey},
		{"a server that is down", ed().claims(), true, ReasonKeySource},
	} {
		if k.serves("ed"); tt.down {
			k.serves()
		}
		before := k.count()
		i := Inspect(t.Context(), now(), tt.raw, []feedv1.TrustDomain{remote()}, Peer{}, jwks.Config{Now: now, Transport: k})
		if i.Reason != tt.want {
			t.Errorf("%s: %+v", tt.name, i)
		}
		if n := k.count() - before; n != 1 {
			t.Errorf("%s: %d fetches", tt.name, n)
		}
	}
}
