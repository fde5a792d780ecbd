package token

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const alphabet64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Whatever happens to one byte of a token that is believed, it is refused or
// still says the same.
func TestMutations(t *testing.T) {
	t.Parallel()
	for kid, share := range map[string]int{"ed": 3, "es256": 12, "rs256": 12} { // of the values of each byte, one in so many
		t.Run(kid, func(t *testing.T) {
			t.Parallel()
			d := corp()
			d.KeySet.JWKS = jwksOf(kid)
			raw := issuers()[kid].claims(set("act", `{"sub":"a"}`))
			want := wants(t, d, raw, "")
			v := verifier(t, d)
			l := listener(d)
			dice := rand.New(rand.NewPCG(1, 2))
			check := func(mutant string) {
				c, _, code := v.Verify(t.Context(), now(), mutant, l, Peer{})
				if mutant == raw || code != "" {
					return
				}
				if diff := cmp.Diff(want, c); diff != "" {
					t.Errorf("%q says something else:\n%s", mutant, diff)
				}
			}
			for i := range len(raw) {
				for _, b := range []byte(alphabet64 + ".=+/, \n\t\x00\x80\xff") {
					if b != raw[i] && dice.IntN(share) == 0 {
						check(raw[:i] + string([]byte{b}) + raw[i+1:])
					}
				}
				check(raw[:i] + raw[i+1:])            // lost
				check(raw[:i] + raw[i:i+1] + raw[i:]) // doubled
				check(raw[:i])                        // cut off
				check(raw[:i] + strings.ToUpper(raw[i:i+1]) + strings.ToLower(raw[i+1:]))
			}
		})
	}
}

// The same for the signature's numbers: every bit of an ES256 signature counts.
func TestSignatureBits(t *testing.T) {
	t.Parallel()
	d := corp()
	v := verifier(t, d)
	for _, kid := range []string{"ed", "es256", "es384", "ps256", "rs256"} {
		raw := issuers()[kid].claims()
		signed, sig := cutLast(raw)
		b := decode(sig)
		for i := range b {
			b[i] ^= 1 << (i % 8)
			if _, _, code := v.Verify(t.Context(), now(), signed+"."+b64(b), listener(d), Peer{}); code != "token_bad_signature" {
				t.Errorf("%s, byte %d: code %q", kid, i, code)
			}
			b[i] ^= 1 << (i % 8)
		}
	}
}
