package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// certificates are two leaves, in DER.
var certificates = sync.OnceValue(func() [2][]byte {
	var out [2][]byte
	for i := range out {
		k := edKey()
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 1), Subject: pkix.Name{CommonName: "leaf"}, NotAfter: time.Now().Add(time.Hour),
		}, &x509.Certificate{}, k.Public(), k)
		must(err)
		out[i] = der
	}
	return out
})

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// envoyPEM is PEM as Envoy writes it: six characters are URL-encoded
// (source/common/ssl, Utility::PercentEncoding).
func envoyPEM(der []byte) string {
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(pemOf(der))
}

func sumOf(der []byte) string {
	sum := sha256.Sum256(der)
	return b64(sum[:])
}

// The whole of what binds, against an answer worked out apart from the code.
func TestBindingTruthTable(t *testing.T) {
	t.Parallel()
	const agent = "spiffe://corp/ns/agents/sa/summarizer"
	mine, other := certificates()[0], certificates()[1]
	cnfs := map[string]string{
		"none": "", "right": `{"x5t#S256":"` + sumOf(mine) + `"}`, "wrong": `{"x5t#S256":"` + sumOf(other) + `"}`, "malformed": `{"x5t#S256":"x"}`,
		"jkt": `{"jkt":"` + sumOf(mine) + `"}`, "both": `{"x5t#S256":"` + sumOf(mine) + `","jkt":"` + sumOf(mine) + `"}`,
	}
	spiffes := map[string]string{
		"req_wl": workload, "agent": agent, "neither": "spiffe://corp/ns/agents/sa/other", "a prefix": workload[:len(workload)-1],
		"longer": workload + "/x", "in other case": strings.ToUpper(workload), "empty": "",
	}
	for _, binding := range []v1alpha1.TokenBinding{"", v1alpha1.BindingNone, v1alpha1.BindingPeer, v1alpha1.BindingProof, "Later", "peer"} {
		d := corp(func(d *feedv1.TrustDomain) { d.Binding = binding })
		v := verifier(t, d)
		for _, peers := range []bool{false, true} {
			l := listener(d)
			l.Peers = peers
			for who, spiffe := range spiffes {
				for how, cnf := range cnfs {
					for _, certificate := range []string{"", envoyPEM(mine)} {
						name := fmt.Sprintf("binding %q, peers %v, SPIFFE %s, cnf %s, certificate %v", binding, peers, who, how, certificate != "")
						edits := []edit{set("act", `{"sub":"`+agent+`"}`)}
						if cnf != "" {
							edits = append(edits, set("cnf", cnf))
						}
						raw := ed().claims(edits...)
						want := bound(binding, peers, who, how, certificate != "")
						// Once uncached and once cached, where it can be.
						for _, time := range []string{"first", "second"} {
							_, _, code := v.Verify(t.Context(), now(), raw, l, Peer{SPIFFE: spiffe, Certificate: certificate})
							if code != want {
								t.Errorf("%s, %s time: code is %q, want %q", name, time, code, want)
							}
						}
					}
				}
			}
		}
	}
}

// bound is the answer to one row of the table.
func bound(binding v1alpha1.TokenBinding, peers bool, who, cnf string, certificate bool) string {
	const no, yes = "token_not_bound", ""
	if cnf == "malformed" {
		return "token_missing_claim"
	}
	if binding == v1alpha1.BindingNone {
		return yes
	}
	if binding == v1alpha1.BindingProof || binding == "Later" || binding == "peer" {
		return no
	}
	if binding == "" && !peers && cnf == "none" {
		return yes
	}
	switch {
	case cnf == "jkt" || cnf == "both" || cnf == "wrong":
		return no
	case cnf == "right" && certificate:
		return yes
	case cnf == "none" && (who == "req_wl" || who == "agent"):
		return yes
	}
	return no
}

// A token that nobody is named in binds to nobody: an empty name is no match.
func TestNobodyIsNoPeer(t *testing.T) {
	t.Parallel()
	d := corp(func(d *feedv1.TrustDomain) { d.Binding = v1alpha1.BindingPeer })
	raw := ed().claims() // no act
	for _, p := range []Peer{{}, {Certificate: envoyPEM(certificates()[0])}} {
		if _, _, code := verifier(t, d).Verify(t.Context(), now(), raw, listener(d), p); code != "token_not_bound" {
			t.Errorf("peer %+v: code %q", p, code)
		}
	}
}

func TestCertificateForms(t *testing.T) {
	t.Parallel()
	mine, other := certificates()[0], certificates()[1]
	sum := decode(sumOf(mine))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: mine}))
	for _, tt := range []struct {
		name, certificate string
		want              bool
	}{
		{"as Envoy writes it", envoyPEM(mine), true},
		{"not encoded", pemOf(mine), true},
		{"every byte encoded", everyByte(pemOf(mine)), true},
		{"encoded as a path", url.PathEscape(pemOf(mine)), true},
		{"in lower case", strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d", "%0A", "%0a").Replace(envoyPEM(mine)), true},
		{"with its issuer behind", envoyPEM(mine) + envoyPEM(other), true},
		{"behind another", envoyPEM(other) + envoyPEM(mine), false},
		{"another", envoyPEM(other), false},
		{"empty", "", false},
		{"a percent sign alone", "%", false},
		{"half of an escape", envoyPEM(mine) + "%2", false},
		{"an escape that is none", envoyPEM(mine) + "%zz", false},
		{"no PEM", url.PathEscape(string(mine)), false},
		{"another block of the same bytes", url.PathEscape(key), false},
		{"cut short", envoyPEM(mine)[:100], false},
		{"encoded twice", url.PathEscape(envoyPEM(mine)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := (Peer{Certificate: tt.certificate}).has(sum); got != tt.want {
				t.Errorf("it is the certificate: %v", got)
			}
		})
	}
}

// A plus is a plus, and no space as it would be in a form.
func TestPlusInCertificate(t *testing.T) {
	t.Parallel()
	der := make([]byte, 300) // every sextet of 0xfb 0xef 0xbe is a plus
	for i := range der {
		der[i] = []byte{0xfb, 0xef, 0xbe}[i%3]
	}
	text := pemOf(der)
	if strings.Count(text, "+") < 100 {
		t.Fatal("no plus in it")
	}
	sum := decode(sumOf(der))
	for name, form := range map[string]string{"encoded": envoyPEM(der), "not encoded": text} {
		if !(Peer{Certificate: form}).has(sum) {
			t.Errorf("%s: not recognised", name)
		}
	}
}

func everyByte(text string) string {
	var out strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&out, "%%%02X", text[i])
	}
	return out.String()
}

// What was verified for one peer is not verified for the next.
func TestCachedTokenIsStillBound(t *testing.T) {
	t.Parallel()
	mine, other := certificates()[0], certificates()[1]
	d := corp()
	l := listener(d)
	v := verifier(t, d)
	raw := ed().claims(set("cnf", `{"x5t#S256":"`+sumOf(mine)+`"}`))
	for i, tt := range []struct {
		peer  Peer
		peers bool
		code  string
	}{
		{Peer{Certificate: envoyPEM(mine)}, true, ""},
		{Peer{Certificate: envoyPEM(other)}, true, "token_not_bound"},
		{Peer{SPIFFE: workload}, true, "token_not_bound"},
		{Peer{}, false, "token_not_bound"},
		{Peer{Certificate: envoyPEM(mine)}, false, ""},
	} {
		l.Peers = tt.peers
		if _, _, code := v.Verify(t.Context(), now(), raw, l, tt.peer); code != tt.code {
			t.Errorf("%d: code is %q, want %q", i, code, tt.code)
		}
	}
	if n := v.remembered(d.Key); n != 1 {
		t.Errorf("%d tokens are remembered", n)
	}
}

// A token that its peer may not present is not remembered for it either.
func TestUnboundTokenIsNotRemembered(t *testing.T) {
	t.Parallel()
	d := corp(func(d *feedv1.TrustDomain) { d.Binding = v1alpha1.BindingPeer })
	v := verifier(t, d)
	raw := ed().claims()
	for range 2 {
		if _, _, code := v.Verify(t.Context(), now(), raw, listener(d), Peer{SPIFFE: "spiffe://other"}); code != "token_not_bound" {
			t.Fatalf("code %q", code)
		}
	}
	if n := v.remembered(d.Key); n != 0 {
		t.Errorf("%d tokens are remembered", n)
	}
}

// remembered is how many tokens of a domain are.
func (v *Verifier) remembered(key feedv1.Key) int { return (*v.domains.Load())[key].cache.Len() }
