package jwks_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/token/jwks"
)

const (
	noAlgorithm = "its alg does not go with"
	noKind      = "its kty and crv are not ones"
	noUse       = "its use is not sig"
	noOps       = "its key_ops have no verify"
	noKeyID     = "its kid is not"
	noForm      = "is missing or has another form"
	noBase64    = "is not base64url"
	noPoint     = "it is no point on its curve"
	isPrivate   = "its private half is published"
	noModulus   = "its modulus is not"
	noExponent  = "its exponent is not"
)

// row is one key and what becomes of it: an algorithm, or a problem.
type row struct {
	name    string
	key     any
	alg     string
	problem string
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := parse(t, setOfAny(r.key))
			k := s.Find("")
			switch {
			case r.problem == "" && (k == nil || k.Algorithm != r.alg || len(s.Problems()) > 0):
				t.Errorf("not used for %s: %q", r.alg, s.Problems())
			case r.problem != "" && (k != nil || len(s.Problems()) != 1 || !strings.HasPrefix(s.Problems()[0], "key 1 is not used: ") || !strings.Contains(s.Problems()[0], r.problem)):
				t.Errorf("found %v, problems %q, want %q", k, s.Problems(), r.problem)
			}
		})
	}
}

func TestEd25519Keys(t *testing.T) {
	t.Parallel()
	k := newEd25519(1).jwk
	x := must(base64.RawURLEncoding.DecodeString(k["x"].(string)))
	check(t, []row{
		{name: "no alg", key: k, alg: jwks.EdDSA},
		{name: "alg EdDSA", key: k.with("alg", "EdDSA"), alg: jwks.EdDSA},
		{name: "alg Ed25519", key: k.with("alg", "Ed25519"), alg: jwks.EdDSA},
		{name: "members that nobody knows", key: k.with("x5u", "https://evil.example", "X", "AA", "D", "AA", "y", 1), alg: jwks.EdDSA},
		{name: "crv Ed448", key: k.with("crv", "Ed448"), problem: noKind},
		{name: "crv X25519", key: k.with("crv", "X25519"), problem: noKind},
		{name: "crv P-256", key: k.with("crv", "P-256"), problem: noKind},
		{name: "crv in another case", key: k.with("crv", "ed25519"), problem: noKind},
		{name: "no crv", key: k.without("crv"), problem: noKind},
		{name: "no kty", key: k.without("kty"), problem: noKind},
		{name: "kty in another case", key: k.with("kty", "okp"), problem: noKind},
		{name: "kty no string", key: k.with("kty", 1), problem: noKind},
		{name: "no x", key: k.without("x"), problem: noForm},
		{name: "x no string", key: k.with("x", 1), problem: noForm},
		{name: "x null", key: k.with("x", nil), problem: noForm},
		{name: "x empty", key: k.with("x", ""), problem: "x has 0 bytes"},
		{name: "x of 31 bytes", key: k.with("x", b64(x[:31])), problem: "x has 31 bytes"},
		{name: "x of 33 bytes", key: k.with("x", b64(append(x[:32:32], 0))), problem: "x has 33 bytes"},
		{name: "x very long", key: k.with("x", strings.Repeat("A", 2049)), problem: noForm},
	})
}

func TestECKeys(t *testing.T) {
	t.Parallel()
	k, k384 := newEC(jwks.ES256, 1).jwk, newEC(jwks.ES384, 1).jwk
	x := must(base64.RawURLEncoding.DecodeString(k["x"].(string)))
	p := elliptic.P256().Params().P
	check(t, []row{
		{name: "P-256", key: k, alg: jwks.ES256},
		{name: "P-256, alg ES256", key: k.with("alg", "ES256"), alg: jwks.ES256},
		{name: "P-384", key: k384, alg: jwks.ES384},
		{name: "P-384, alg ES384", key: k384.with("alg", "ES384"), alg: jwks.ES384},
		{name: "P-521", key: k.with("crv", "P-521"), problem: noKind},
		{name: "secp256k1", key: k.with("crv", "secp256k1"), problem: noKind},
		{name: "crv by another name", key: k.with("crv", "prime256v1"), problem: noKind},
		{name: "no crv", key: k.without("crv"), problem: noKind},
		{name: "no x", key: k.without("x"), problem: noForm},
		{name: "no y", key: k.without("y"), problem: noForm},
		{name: "y compressed", key: k.with("y", true), problem: noForm},
		{name: "x too short", key: k.with("x", b64(x[1:])), problem: "do not have 32 bytes each"},
		{name: "x with a zero in front", key: k.with("x", b64(append([]byte{0}, x...))), problem: "do not have 32 bytes each"},
		{name: "of P-384 on P-256", key: k384.with("crv", "P-256"), problem: "do not have 32 bytes each"},
		{name: "of P-256 on P-384", key: k.with("crv", "P-384"), problem: "do not have 48 bytes each"},
		{name: "x and y changed", key: k.with("x", k["y"], "y", k["x"]), problem: noPoint},
		{name: "y of another key", key: k.with("y", newEC(jwks.ES256, 2).jwk["y"]), problem: noPoint},
		{name: "the point at infinity", key: k.with("x", b64(make([]byte, 32)), "y", b64(make([]byte, 32))), problem: noPoint},
		{name: "x not reduced", key: k.with("x", b64(p.Bytes())), problem: noPoint},
		{name: "x all ones", key: k.with("x", b64(seed(0xff, 32))), problem: noPoint},
	})
}

func TestRSAKeys(t *testing.T) {
	t.Parallel()
	k := newRSA(jwks.RS256).jwk.without("alg")
	// A modulus of that many bits; nobody asks for its primes.
	modulus := func(bits uint, low int64) string {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return b64(n.Add(n, big.NewInt(low)).Bytes())
	}
	number := func(text string) string {
		n, _ := new(big.Int).SetString(text, 10)
		return b64(n.Bytes())
	}
	check(t, []row{
		{name: "no alg", key: k, alg: jwks.RS256},
		{name: "alg RS256", key: k.with("alg", "RS256"), alg: jwks.RS256},
		{name: "alg PS256", key: k.with("alg", "PS256"), alg: jwks.PS256},
		{name: "crv of another kind", key: k.with("crv", "Ed25519"), alg: jwks.RS256},
		{name: "2048 bits", key: k.with("n", modulus(2048, 1)), alg: jwks.RS256},
		{name: "8192 bits", key: k.with("n", modulus(8192, 1)), alg: jwks.RS256},
		{name: "2047 bits", key: k.with("n", modulus(2047, 1)), problem: noModulus},
		{name: "1024 bits", key: k.with("n", modulus(1024, 1)), problem: noModulus},
		{name: "2047 bits, zeros in front", key: k.with("n", b64(append(make([]byte, 9), must(base64.RawURLEncoding.DecodeString(modulus(2047, 1)))...))), problem: noModulus},
		{name: "8193 bits", key: k.with("n", modulus(8193, 1)), problem: noModulus},
		{name: "huge", key: k.with("n", modulus(16384, 1)), problem: noForm},
		{name: "an even modulus", key: k.with("n", modulus(2048, 0)), problem: noModulus},
		{name: "a modulus of nothing", key: k.with("n", ""), problem: noModulus},
		{name: "no modulus", key: k.without("n"), problem: noForm},
		{name: "no exponent", key: k.without("e"), problem: noForm},
		{name: "an exponent that is a number", key: k.with("e", 65537), problem: noForm},
		{name: "an exponent of nothing", key: k.with("e", ""), problem: noExponent},
		{name: "exponent 1", key: k.with("e", number("1")), problem: noExponent},
		{name: "exponent 3", key: k.with("e", number("3")), problem: noExponent},
		{name: "exponent 65535", key: k.with("e", number("65535")), problem: noExponent},
		{name: "exponent 65538, even", key: k.with("e", number("65538")), problem: noExponent},
		{name: "exponent 65539", key: k.with("e", number("65539")), alg: jwks.RS256},
		{name: "exponent 2^31-1", key: k.with("e", number("2147483647")), alg: jwks.RS256},
		{name: "exponent 2^31+1", key: k.with("e", number("2147483649")), problem: noExponent},
		{name: "exponent 2^32+65537", key: k.with("e", number("4295032833")), problem: noExponent},
		{name: "exponent 2^64+65537", key: k.with("e", number("18446744073709617153")), problem: noExponent},
	})
}

func TestKeysOfOtherKinds(t *testing.T) {
	t.Parallel()
	k := newEd25519(1).jwk
	check(t, []row{
		{name: "symmetric", key: jwk{"kty": "oct", "k": "c2VjcmV0"}, problem: isPrivate},
		{name: "symmetric, named as a public one", key: k.with("k", "c2VjcmV0", "alg", "HS256"), problem: isPrivate},
		{name: "symmetric without a secret", key: jwk{"kty": "oct"}, problem: noKind},
		{name: "ML-DSA", key: jwk{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, problem: noKind},
		{name: "of no kind", key: jwk{}, problem: noKind},
		{name: "a number", key: 1, problem: "is no object"},
		{name: "null", key: nil, problem: "is no object"},
		{name: "text", key: "key", problem: "is no object"},
		{name: "a list", key: []any{k}, problem: "is no object"},
	})
}

func TestPrivateHalves(t *testing.T) {
	t.Parallel()
	var rows []row
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		for _, s := range signers() {
			rows = append(rows, row{name: s.alg + " with " + member, key: s.jwk.with(member, "AA"), problem: isPrivate})
		}
		rows = append(rows, row{name: member + " null", key: newEd25519(1).jwk.with(member, nil), problem: isPrivate})
	}
	check(t, rows)
}

// TestKindsAndAlgorithms goes through all combinations for the material of
// each kind of key.
func TestKindsAndAlgorithms(t *testing.T) {
	t.Parallel()
	kinds := []string{"OKP", "EC", "RSA", "oct", "AKP", "", "okp", "ec", "rsa"}
	curves := []string{"Ed25519", "Ed448", "X25519", "P-256", "P-384", "P-521", "secp256k1", ""}
	algs := []string{
		"EdDSA", "Ed25519", "Ed448", "ES256", "ES384", "ES512", "ES256K", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"HS256", "HS384", "HS512", "none", "RSA-OAEP", "ECDH-ES", "A256KW", "eddsa", "es256", "rs256", " EdDSA", "",
	}
	want := map[string]string{
		"OKP Ed25519 EdDSA": jwks.EdDSA, "OKP Ed25519 Ed25519": jwks.EdDSA,
		"EC P-256 ES256": jwks.ES256, "EC P-384 ES384": jwks.ES384,
	}
	for _, crv := range curves {
		want["RSA "+crv+" RS256"], want["RSA "+crv+" PS256"] = jwks.RS256, jwks.PS256
	}
	found := map[string]bool{}
	for _, s := range []*signer{newEd25519(1), newEC(jwks.ES256, offEdwards(t)), newEC(jwks.ES384, 1), newRSA(jwks.RS256)} {
		for _, kty := range kinds {
			for _, crv := range curves {
				for _, alg := range algs {
					name := kty + " " + crv + " " + alg
					set := parse(t, setOf(s.jwk.with("kty", kty, "crv", crv, "alg", alg)))
					k := set.Find("")
					if k == nil {
						continue
					}
					found[name] = true
					if k.Algorithm != want[name] {
						t.Errorf("%s: used for %s, want %q", name, k.Algorithm, want[name])
					}
				}
			}
		}
	}
	for name := range want {
		if !found[name] {
			t.Errorf("%s is never used", name)
		}
	}
}

// offEdwards is the number of an EC signer whose x is no point of Ed25519.
func offEdwards(t *testing.T) byte {
	for n := byte(1); n < 50; n++ {
		x := newEC(jwks.ES256, n).jwk["x"]
		if parse(t, setOf(jwk{"kty": "OKP", "crv": "Ed25519", "x": x})).Find("") == nil {
			return n
		}
	}
	t.Fatal("all are points")
	return 0
}

// TestUses goes through all combinations of use and key_ops.
func TestUses(t *testing.T) {
	t.Parallel()
	uses := []struct {
		name string
		use  any
		ok   bool
	}{
		{"no use", absent, true},
		{"sig", "sig", true},
		{"enc", "enc", false},
		{"empty", "", false},
		{"other case", "SIG", false},
		{"null", nil, false},
		{"a list", []string{"sig"}, false},
	}
	ops := []struct {
		name string
		ops  any
		ok   bool
	}{
		{"no key_ops", absent, true},
		{"verify", []string{"verify"}, true},
		{"sign and verify", []string{"sign", "verify"}, true},
		{"none", []string{}, false},
		{"sign", []string{"sign"}, false},
		{"encrypt", []string{"encrypt", "wrapKey", "deriveKey"}, false},
		{"other case", []string{"Verify"}, false},
		{"text", "verify", false},
		{"null", nil, false},
		{"an object", jwk{"verify": true}, false},
	}
	for _, s := range signers() {
		var rows []row
		for _, u := range uses {
			for _, o := range ops {
				r := row{name: s.alg + ", use: " + u.name + ", key_ops: " + o.name, alg: s.alg}
				k := s.jwk
				if u.use != absent {
					k = k.with("use", u.use)
				}
				if o.ops != absent {
					k = k.with("key_ops", o.ops)
				}
				switch {
				case !u.ok:
					r.problem = noUse
				case !o.ok:
					r.problem = noOps
				}
				r.key = k
				rows = append(rows, r)
			}
		}
		check(t, rows)
	}
}

// absent stands for a member that is left out.
const absent = "\x00"

func TestAlgorithmOfNoForm(t *testing.T) {
	t.Parallel()
	var rows []row
	for _, s := range signers() {
		for name, alg := range map[string]any{"null": nil, "a number": 1, "a list": []string{s.alg}, "an object": jwk{}} {
			rows = append(rows, row{name: s.alg + ", " + name, key: s.jwk.with("alg", alg), problem: noAlgorithm})
		}
	}
	check(t, rows)
}

func TestKeyIDs(t *testing.T) {
	t.Parallel()
	k := newEd25519(1).jwk
	longest := strings.Repeat("k", jwks.MaxKeyID)
	for _, id := range []string{"a", "!", "~", "../../etc/passwd", "https://evil.example/jwks?a=b", `"\`, "';drop-table-keys", longest} {
		if got := parse(t, setOf(k.with("kid", id))).Find(id); got == nil || got.ID != id || !jwks.ValidKeyID(id) {
			t.Errorf("kid %q: %v", id, got)
		}
	}
	check(t, []row{
		{name: "empty", key: k.with("kid", ""), problem: noKeyID},
		{name: "too long", key: k.with("kid", longest+"k"), problem: noKeyID},
		{name: "a space", key: k.with("kid", "a b"), problem: noKeyID},
		{name: "a line end", key: k.with("kid", "a\n"), problem: noKeyID},
		{name: "a zero", key: k.with("kid", "a\x00"), problem: noKeyID},
		{name: "delete", key: k.with("kid", "\x7f"), problem: noKeyID},
		{name: "not ASCII", key: k.with("kid", "ключ"), problem: noKeyID},
		{name: "a number", key: k.with("kid", 1), problem: noKeyID},
		{name: "null", key: k.with("kid", nil), problem: noKeyID},
		{name: "a list", key: k.with("kid", []string{"a"}), problem: noKeyID},
	})
}

// TestNumbersHaveOneSpelling: a decoder of base64 skips line ends wherever
// they are, and may ignore the last bits.
func TestNumbersHaveOneSpelling(t *testing.T) {
	t.Parallel()
	ed, ec384, rs := newEd25519(1).jwk, newEC(jwks.ES384, 1).jwk, newRSA(jwks.RS256).jwk
	spoil := func(k jwk, member string, change func(string) string) jwk {
		return k.with(member, change(k[member].(string)))
	}
	plus := func(s string) func(string) string { return func(v string) string { return v + s } }
	// Alphabet of RFC 4648 section 4, on a key that has a "-" or a "_".
	standard := func(v string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(v) }
	check(t, []row{
		{name: "padding", key: spoil(ed, "x", plus("=")), problem: noBase64},
		{name: "a line end behind 43", key: spoil(ed, "x", plus("\n")), problem: noBase64},
		{name: "a line end behind 64", key: spoil(ec384, "x", plus("\n")), problem: noBase64},
		{name: "a line end in 64", key: spoil(ec384, "y", func(v string) string { return v[:32] + "\r" + v[32:] }), problem: noBase64},
		{name: "a line end behind 4", key: spoil(rs, "e", plus("\n")), problem: noBase64},
		{name: "line ends in 4", key: spoil(rs, "e", func(string) string { return "A\nQ\rA\nB" }), problem: noBase64},
		{name: "a line end behind 342", key: spoil(rs, "n", plus("\n")), problem: noBase64},
		{name: "nothing but line ends", key: ed.with("x", "\r\n"), problem: noBase64},
		{name: "a space", key: spoil(ed, "x", plus(" ")), problem: noBase64},
		{name: "last bits", key: spoil(ed, "x", lastBits), problem: noBase64},
		{name: "a length that no bytes have", key: ed.with("x", "AAAAA"), problem: noBase64},
		{name: "the other alphabet", key: spoil(rs, "n", standard), problem: noBase64},
	})
	if !strings.ContainsAny(rs["n"].(string), "-_") || len(ec384["x"].(string)) != 64 {
		t.Error("the rows do not try what they say")
	}
}

// lastBits sets bits behind the last byte.
func lastBits(v string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, v[len(v)-1])
	return v[:len(v)-1] + string(alphabet[i|1])
}

// TestOneKeyOneAlgorithm: a key verifies what its own signer signed, and
// nothing else, whatever a token would name.
func TestOneKeyOneAlgorithm(t *testing.T) {
	t.Parallel()
	const text = "eyJhbGciOiJub25lIn0.e30"
	all := signers()
	for i, s := range all {
		k := onlyKey(t, setOf(s.jwk))
		for j, o := range all {
			if got := k.Verify(text, o.sign(text)); got != (i == j) {
				t.Errorf("a key for %s says %v of a signature of %s", s.alg, got, o.alg)
			}
		}
		sig := s.sign(text)
		if k.Verify(text+"x", sig) || k.Verify(text, sig[:len(sig)-1]) || k.Verify(text, append(sig, 0)) || k.Verify(text, nil) {
			t.Errorf("%s: another text or signature is verified", s.alg)
		}
		sig[len(sig)/2] ^= 1
		if k.Verify(text, sig) {
			t.Errorf("%s: a changed signature is verified", s.alg)
		}
	}
}

// TestZeroSignatures: r and s of zero verified anything in some libraries
// (CVE-2022-21449).
func TestZeroSignatures(t *testing.T) {
	t.Parallel()
	for _, s := range signers() {
		sig := make([]byte, len(s.sign("x")))
		if onlyKey(t, setOf(s.jwk)).Verify("x", sig) {
			t.Errorf("%s: a signature of zeros is verified", s.alg)
		}
	}
}

// TestSaltOfPS256: RFC 7518 section 3.5 wants one as long as the hash.
func TestSaltOfPS256(t *testing.T) {
	t.Parallel()
	k := onlyKey(t, setOf(newRSA(jwks.PS256).jwk))
	// Auto is the longest that there can be.
	for salt, want := range map[int]bool{rsa.PSSSaltLengthAuto: false, 1: false, 20: false, sha256.Size: true, 64: false} {
		if got := k.Verify("text", signPSS(t, "text", salt)); got != want {
			t.Errorf("a salt of %d bytes: verified = %v", salt, got)
		}
	}
}

func signPSS(t *testing.T, text string, salt int) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	return must(rsa.SignPSS(rand.Reader, rfcRSA(), crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: salt}))
}

func TestKnown(t *testing.T) {
	t.Parallel()
	var known []string
	for _, s := range signers() {
		known = append(known, s.alg)
	}
	for _, alg := range append(known, "none", "None", "", "HS256", "HS384", "HS512", "Ed25519", "ES512", "ES256K", "RS512", "PS384", "eddsa", "RS256 ") {
		if got := jwks.Known(alg); got != slices.Contains(known, alg) {
			t.Errorf("Known(%q) = %v", alg, got)
		}
	}
	if jwks.ValidKeyID("") {
		t.Error("the empty kid is valid")
	}
}

// TestProblemsHoldNothingOfAKey: they are shown and logged.
func TestProblemsHoldNothingOfAKey(t *testing.T) {
	t.Parallel()
	k := newEC(jwks.ES256, 1).jwk.with("kid", "kid\x1b[2J", "d", "very-secret")
	for _, raw := range [][]byte{setOf(k), setOf(k.without("d")), setOf(k.without("d", "kid").with("x", "very-secret"))} {
		said := fmt.Sprint(parse(t, raw).Problems())
		if said == "[]" || strings.Contains(said, "very-secret") || strings.Contains(said, "\x1b") {
			t.Errorf("problems %q", said)
		}
	}
}
