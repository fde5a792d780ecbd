package jwks_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"testing"

	"github.com/hopgate/hopgate/authz/token/jwks"
)

// jwk is a key as an issuer publishes it.
type jwk map[string]any

// with is j with members of these names and values, in turn.
func (j jwk) with(pairs ...any) jwk {
	out := maps.Clone(j)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

func (j jwk) without(names ...string) jwk {
	out := maps.Clone(j)
	for _, n := range names {
		delete(out, n)
	}
	return out
}

// setOf is a JWK Set of these keys.
func setOf(keys ...jwk) []byte {
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = k
	}
	return setOfAny(list...)
}

func setOfAny(keys ...any) []byte {
	if keys == nil {
		keys = []any{}
	}
	raw, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return raw
}

// signer has a private key, and signs as an issuer does.
type signer struct {
	alg string
	// jwk is the public half, without kid, alg and use.
	jwk  jwk
	sign func(text string) []byte
}

// named is the signer's key with a kid.
func (s *signer) named(kid string) jwk { return s.jwk.with("kid", kid) }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newEd25519 is the Ed25519 signer number n: always the same.
func newEd25519(n byte) *signer {
	private := ed25519.NewKeyFromSeed(seed(n, ed25519.SeedSize))
	return &signer{
		alg:  jwks.EdDSA,
		jwk:  jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(private.Public().(ed25519.PublicKey))},
		sign: func(text string) []byte { return ed25519.Sign(private, []byte(text)) },
	}
}

// newEC is the signer number n on a curve: always the same.
func newEC(alg string, n byte) *signer {
	curve, hash := elliptic.P256(), crypto.SHA256
	if alg == jwks.ES384 {
		curve, hash = elliptic.P384(), crypto.SHA384
	}
	size := curve.Params().BitSize / 8
	private := must(ecdsa.ParseRawPrivateKey(curve, seed(n, size)))
	point := must(private.PublicKey.Bytes())
	return &signer{
		alg: alg,
		jwk: jwk{"kty": "EC", "crv": curve.Params().Name, "x": b64(point[1 : 1+size]), "y": b64(point[1+size:])},
		sign: func(text string) []byte {
			h := hash.New()
			h.Write([]byte(text))
			r, s, err := ecdsa.Sign(rand.Reader, private, h.Sum(nil))
			if err != nil {
				panic(err)
			}
			sig := make([]byte, 2*size)
			r.FillBytes(sig[:size])
			s.FillBytes(sig[size:])
			return sig
		},
	}
}

func seed(n byte, size int) []byte {
	out := make([]byte, size)
	for i := range out {
		out[i] = n
	}
	return out
}

// newRSA signs with the key of RFC 7515 appendix A.2.
func newRSA(alg string) *signer {
	private := rfcRSA()
	s := &signer{alg: alg, jwk: jwk{"kty": "RSA", "n": b64(private.N.Bytes()), "e": "AQAB", "alg": alg}}
	s.sign = func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		if alg == jwks.PS256 {
			salt := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return must(rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], salt))
		}
		return must(rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, sum[:]))
	}
	return s
}

// rfcRSA is the private key of RFC 7515 appendix A.2, of its two primes.
func rfcRSA() *rsa.PrivateKey {
	number := func(text string) *big.Int {
		return new(big.Int).SetBytes(must(base64.RawURLEncoding.DecodeString(text)))
	}
	p := number("4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc")
	q := number("uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc")
	const e = 65537
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e},
		D:         new(big.Int).ModInverse(big.NewInt(e), phi),
		Primes:    []*big.Int{p, q},
	}
	k.Precompute()
	return k
}

// signers has one of each algorithm.
func signers() []*signer {
	return []*signer{newEd25519(1), newEC(jwks.ES256, 1), newEC(jwks.ES384, 1), newRSA(jwks.RS256), newRSA(jwks.PS256)}
}

// parse reads a set that has to be one.
func parse(t testing.TB, raw []byte) *jwks.Set {
	t.Helper()
	s, err := jwks.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onlyKey is the one key of a set of one.
func onlyKey(t testing.TB, raw []byte) *jwks.Key {
	t.Helper()
	s := parse(t, raw)
	k := s.Find("")
	if k == nil {
		t.Fatalf("not one key: %q, %q", s.IDs(), s.Problems())
	}
	return k
}
