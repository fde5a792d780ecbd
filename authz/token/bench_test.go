package token

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// benchToken is like those of a real transaction: about 1.1 KB with a chain of
// three.
func benchToken(i *issuer) string {
	return i.claims(
		set("iss", `"https://tts.corp.example"`), set("act", `{"sub":"spiffe://corp/ns/agents/sa/a","act":{"sub":"spiffe://corp/ns/agents/sa/b","act":{"sub":"spiffe://corp/ns/agents/sa/c"}}}`),
		set("tctx", `{"region":"eu","case":"INC-10423","limit":250,"labels":["internal","customer"],"ticket":{"id":42,"severity":"low"}}`),
		set("rctx", `{"req_ip":"192.0.2.17","authn":"hwk","transport":"mtls"}`), set("jti", `"b7c1a0de-0b6d-4b51-9a63-8a8a8e1d9e11"`),
	)
}

func BenchmarkVerifyCached(b *testing.B) {
	d := corp()
	v := verifier(b, d)
	l := listener(d)
	ctx, at := b.Context(), now()
	var raws []string // many, so that they do not all lie in the processor's cache
	for i := range 1024 {
		raw := ed().claims(set("txn", fmt.Sprintf(`"txn-%d"`, i)), set("pad", `"`+strings.Repeat("x", 500)+`"`))
		if _, _, code := v.Verify(ctx, at, raw, l, Peer{}); code != "" {
			b.Fatal(code)
		}
		raws = append(raws, raw)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if c, _, _ := v.Verify(ctx, at, raws[i%len(raws)], l, Peer{}); c == nil {
			b.Fatal("refused")
		}
	}
}

// Raw is one verification of the signature alone, by the same key: what the
// whole is compared with.
func BenchmarkVerifyUncached(b *testing.B) {
	for _, kid := range []string{"es256", "ed", "rs256"} {
		raw := benchToken(issuers()[kid])
		b.Run(kid, func(b *testing.B) {
			d := corp()
			v := verifier(b, d)
			l := listener(d)
			ctx, at := b.Context(), now()
			b.ReportAllocs()
			for b.Loop() {
				v.Forget()
				if c, _, code := v.Verify(ctx, at, raw, l, Peer{}); c == nil {
					b.Fatal(code)
				}
			}
		})
		b.Run(kid+" raw", func(b *testing.B) {
			set, err := jwks.Parse(jwksOf(kid))
			if err != nil {
				b.Fatal(err)
			}
			key := set.Find(kid)
			signed, sig := cutLast(raw)
			decoded := decode(sig)
			b.ReportAllocs()
			for b.Loop() {
				if !key.Verify(signed, decoded) {
					b.Fatal("refused")
				}
			}
		})
	}
}

// What costs most among what anybody can send: no key is needed for it, and it
// should cost about as much as a signature at most.
func BenchmarkRefused(b *testing.B) {
	names := func(form string) string {
		var m []string
		for i := range 700 {
			m = append(m, fmt.Sprintf(form, i))
		}
		return strings.Join(m, ",")
	}
	for name, raw := range map[string]string{
		"many names":               ed().token(kidded(ed(), `"x"`), payload(add(names(`"%x":0`)))),
		"many names in upper case": ed().token(kidded(ed(), `"x"`), payload(add(names(`"%X":0`)))),
		"many numbers":             ed().token(kidded(ed(), `"x"`), payload(set("x", "["+strings.Repeat("1,", 2600)+"1]"))),
		"a long text":              ed().token(kidded(ed(), `"x"`), payload(set("x", `"`+strings.Repeat(`\u00e9`, 850)+`"`))),
		"unknown kid":              ed().token(kidded(ed(), `"x"`), payload()),
		"bad signature":            malformedSignature(benchToken(ed())),
		"too long":                 strings.Repeat("x", MaxBytes+1),
		"dots":                     strings.Repeat(".", MaxBytes),
	} {
		b.Run(name, func(b *testing.B) {
			if name != "too long" && len(raw) > MaxBytes {
				b.Fatalf("%d bytes", len(raw))
			}
			d := corp()
			v := verifier(b, d)
			l := listener(d)
			ctx, at := b.Context(), now()
			b.ReportAllocs()
			for b.Loop() {
				if c, _, _ := v.Verify(ctx, at, raw, l, Peer{}); c != nil {
					b.Fatal("believed")
				}
			}
		})
	}
}

func malformedSignature(raw string) string {
	signed, sig := cutLast(raw)
	b := decode(sig)
	b[0] ^= 1
	return signed + "." + b64(b)
}

func BenchmarkInspect(b *testing.B) {
	d := []feedv1.TrustDomain{corp()}
	raw := benchToken(ed())
	b.ReportAllocs()
	for b.Loop() {
		if i := Inspect(b.Context(), now(), raw, d, Peer{}, jwks.Config{}); !i.Believed {
			b.Fatal(i.Reason)
		}
	}
}

func BenchmarkMint(b *testing.B) {
	k := mintKey(b)
	p := params(func(p *Params) { p.Agent = "a" })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Mint(p, nil); err != nil {
			b.Fatal(err)
		}
	}
}
