package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// Bounds of one key.
const (
	// MaxKeyID is the longest kid, in bytes.
	MaxKeyID = 128
	// minRSA and maxRSA bound the modulus, in bits: below it is weak, above it
	// costs more per token than a key is worth.
	minRSA = 2048
	maxRSA = 8192
	// minExponent is F4 (FIPS 186-5 section 5.4).
	minExponent = 65537
)

// reader reads keys. It is for one goroutine.
type reader struct {
	b64 *base64.Encoding
	pss jwt.SigningMethod
}

func newReader() *reader {
	// RFC 7518 section 3.5 wants a salt as long as the hash; golang-jwt would
	// take one of any length.
	salt := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return &reader{
		b64: base64.RawURLEncoding.Strict(),
		pss: &jwt.SigningMethodRSAPSS{SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA, Options: salt, VerifyOptions: salt},
	}
}

// errPrivate is what is wrong with a key whose private half is in the set:
// everybody who has read it can sign.
var errPrivate = errors.New("its private half is published: no key with its kid or its public half is used")

// key reads one member of a set (RFC 7517 section 4). The error says why the
// key is not used.
func (r *reader) key(v strictjson.Value) (*Key, error) {
	if v.Kind() != strictjson.Object {
		return nil, errors.New("is no object")
	}
	if published(v) {
		return nil, errPrivate
	}
	id, err := keyID(v)
	if err != nil {
		return nil, err
	}
	if err := forSignatures(v); err != nil {
		return nil, err
	}
	public, err := r.public(v)
	if err != nil {
		return nil, err
	}
	alg, method, err := r.algorithm(v, public)
	if err != nil {
		return nil, err
	}
	return &Key{ID: id, Algorithm: alg, public: public, method: method}, nil
}

// published finds private and symmetric key material (RFC 7518 section 6).
func published(v strictjson.Value) bool {
	for name := range v.Members() {
		switch name {
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			return true
		}
	}
	return false
}

func keyID(v strictjson.Value) (string, error) {
	m, ok := v.Member("kid")
	if !ok {
		return "", nil
	}
	id, ok := m.Text()
	if !ok || !ValidKeyID(id) {
		return "", fmt.Errorf("its kid is not 1 to %d visible ASCII characters", MaxKeyID)
	}
	return string([]byte(id)), nil
}

// ValidKeyID reports whether id can be a kid here: visible ASCII and short. It
// is looked up and compared, and nothing else.
func ValidKeyID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= MaxKeyID
}

// forSignatures wants use and key_ops, where given, to allow verifying
// (RFC 7517 sections 4.2 and 4.3).
func forSignatures(v strictjson.Value) error {
	if use, ok := v.Member("use"); ok && !use.Is("sig") {
		return errors.New("its use is not sig")
	}
	ops, ok := v.Member("key_ops")
	if !ok {
		return nil
	}
	for op := range ops.Elems() {
		if op.Is("verify") {
			return nil
		}
	}
	return errors.New("its key_ops have no verify")
}

// public reads the public half of a key.
func (r *reader) public(v strictjson.Value) (publicKey, error) {
	kty, _ := v.Member("kty")
	crv, _ := v.Member("crv")
	switch {
	case kty.Is("OKP") && crv.Is("Ed25519"):
		return r.okp(v)
	case kty.Is("EC") && crv.Is("P-256"):
		return r.ec(v, elliptic.P256())
	case kty.Is("EC") && crv.Is("P-384"):
		return r.ec(v, elliptic.P384())
	case kty.Is("RSA"):
		return r.rsa(v)
	default:
		return nil, errors.New("its kty and crv are not ones that are used here")
	}
}

// algorithm is the one that a key is for: one key, one algorithm. Ed25519 may
// have the newer name of the same algorithm (RFC 9864 section 2.2); an RSA key
// that does not say its alg is for RS256.
func (r *reader) algorithm(v strictjson.Value, public publicKey) (string, jwt.SigningMethod, error) {
	alg, given := v.Member("alg")
	is := func(name string) bool { return !given || alg.Is(name) }
	switch k := public.(type) {
	case ed25519.PublicKey:
		if is(EdDSA) || is("Ed25519") {
			return EdDSA, jwt.SigningMethodEdDSA, nil
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() && is(ES256) {
			return ES256, jwt.SigningMethodES256, nil
		}
		if k.Curve == elliptic.P384() && is(ES384) {
			return ES384, jwt.SigningMethodES384, nil
		}
	case *rsa.PublicKey:
		if is(RS256) {
			return RS256, jwt.SigningMethodRS256, nil
		}
		if is(PS256) {
			return PS256, r.pss, nil
		}
	}
	return "", nil, errors.New("its alg does not go with its kty and crv")
}

// okp reads an Ed25519 key (RFC 8037 section 2).
func (r *reader) okp(v strictjson.Value) (publicKey, error) {
	x, err := r.bytes(v, "x")
	if err != nil {
		return nil, err
	}
	switch {
	case len(x) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("x has %d bytes, not %d", len(x), ed25519.PublicKeySize)
	case smallOrder(x):
		return nil, errors.New("it is a point of small order")
	case !onEdwards25519(x):
		return nil, errCurve
	}
	return ed25519.PublicKey(x), nil
}

var errCurve = errors.New("it is no point on its curve")

// ec reads a key on a NIST curve (RFC 7518 section 6.2).
func (r *reader) ec(v strictjson.Value, curve elliptic.Curve) (publicKey, error) {
	x, errX := r.bytes(v, "x")
	y, errY := r.bytes(v, "y")
	if err := errors.Join(errX, errY); err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, fmt.Errorf("x and y do not have %d bytes each", size)
	}
	const uncompressed = 4 // SEC 1 section 2.3.3
	public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{uncompressed}, x, y))
	if err != nil {
		return nil, errCurve
	}
	return public, nil
}

// rsa reads an RSA key (RFC 7518 section 6.3).
func (r *reader) rsa(v strictjson.Value) (publicKey, error) {
	n, errN := r.bytes(v, "n")
	e, errE := r.bytes(v, "e")
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < minRSA || bits > maxRSA || modulus.Bit(0) == 0 {
		return nil, fmt.Errorf("its modulus is not an odd number of %d to %d bits", minRSA, maxRSA)
	}
	if exponent.BitLen() > 31 || exponent.Int64() < minExponent || exponent.Bit(0) == 0 {
		return nil, fmt.Errorf("its exponent is not an odd number of %d to 2^31", minExponent)
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

// maxNumber is more than any number of a key takes in base64url.
const maxNumber = 2048

// bytes decodes a member that is base64url.
func (r *reader) bytes(v strictjson.Value, name string) ([]byte, error) {
	m, _ := v.Member(name)
	text, ok := m.Text()
	if !ok || len(text) > maxNumber {
		return nil, fmt.Errorf("%s is missing or has another form", name)
	}
	b, err := r.b64.DecodeString(text)
	// The length tells of line ends, which a decoder skips.
	if err != nil || len(text) != r.b64.EncodedLen(len(b)) {
		return nil, fmt.Errorf("%s is not base64url", name)
	}
	return b, nil
}
