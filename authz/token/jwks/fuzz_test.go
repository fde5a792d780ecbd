package jwks_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
)

// FuzzParse: whatever the bytes, a set has sorted kids of good form, each of
// its keys verifies with its own algorithm alone, and the same bytes make the
// same set.
func FuzzParse(f *testing.F) {
	const text = "header.payload"
	all := signers()
	sigs := make([][]byte, len(all))
	var keys []jwk
	for i, s := range all {
		sigs[i] = s.sign(text)
		k := s.named(s.alg).with("use", "sig", "key_ops", []string{"verify"})
		keys = append(keys, k)
		f.Add(setOf(k))
		f.Add(setOf(k.with("d", "AA")))
		f.Add(setOf(k.without("kid", "alg"), all[(i+1)%len(all)].named(s.alg)))
	}
	f.Add(setOf(keys...))
	for _, s := range []string{
		``, `{}`, `{"keys":[]}`, `{"keys":[{}]}`, `{"keys":[null,1,"",[]]}`, `{"keys":[],"keys":[]}`, `{"keys":[{"kty":"oct","k":"AA"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQ` + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" + `"}]}`, `{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB\n"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		document := bytes.Clone(raw)
		set, err := jwks.Parse(document)
		if (set == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", set, err)
		}
		again, errAgain := jwks.Parse(raw)
		if err != nil {
			if errAgain == nil || errAgain.Error() != err.Error() {
				t.Fatalf("%v, and then %v", err, errAgain)
			}
			return
		}
		ids := set.IDs()
		if !json.Valid(raw) || len(raw) > jwks.MaxBytes || len(ids) > jwks.MaxKeys || !slices.IsSorted(ids) {
			t.Fatalf("accepted with kids %q", ids)
		}
		if diff := cmp.Diff([][]string{ids, set.Problems()}, [][]string{again.IDs(), again.Problems()}); diff != "" {
			t.Fatal(diff)
		}
		clear(document)
		for i, id := range ids {
			k := set.Find(id)
			if id == "" && len(ids) > 1 {
				continue
			}
			if k == nil || k.ID != id || i > 0 && ids[i-1] == id || id != "" && !jwks.ValidKeyID(id) || !jwks.Known(k.Algorithm) {
				t.Fatalf("kid %q of %q names %+v", id, ids, k)
			}
			for j, s := range all {
				if k.Verify(text, sigs[j]) && k.Algorithm != s.alg {
					t.Fatalf("a key for %s verifies a signature of %s", k.Algorithm, s.alg)
				}
			}
		}
	})
}
