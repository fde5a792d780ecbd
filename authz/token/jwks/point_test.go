package jwks_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
)

// TestSmallOrder: with such a key, a signature that nobody made is verified by
// crypto/ed25519, so no set may have one.
func TestSmallOrder(t *testing.T) {
	t.Parallel()
	var rows []row
	for name, y := range map[string]string{
		"0":         "0000000000000000000000000000000000000000000000000000000000000000",
		"1":         "0100000000000000000000000000000000000000000000000000000000000000",
		"an eighth": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"another":   "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"p-1":       "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"p":         "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"p+1":       "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		x := must(hex.DecodeString(y))
		negative := slices.Clone(x)
		negative[31] |= 0x80
		rows = append(rows,
			row{name: "y is " + name, key: jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(x)}, problem: "it is a point of small order"},
			row{name: "y is " + name + ", x negative", key: jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(negative)}, problem: "it is a point of small order"})
	}
	check(t, rows)
	// The neutral element as the key and as R, and S of zero.
	neutral := append([]byte{1}, make([]byte, 31)...)
	forged := append(slices.Clone(neutral), make([]byte, 32)...)
	if !ed25519.Verify(neutral, []byte("any text"), forged) {
		t.Error("crypto/ed25519 refuses small orders by itself: the list is not needed any more")
	}
}

func TestPointsOfNoForm(t *testing.T) {
	t.Parallel()
	point := func(y ...byte) jwk {
		return jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(append(y, make([]byte, 32-len(y))...))}
	}
	reduced := newEd25519(1).jwk
	notReduced := seed(0xff, 32)
	notReduced[0], notReduced[31] = 0xf0, 0x7f // p + 3: 3 is a point
	check(t, []row{
		{name: "y is 2", key: point(2), problem: noPoint},
		{name: "y is 3", key: point(3), alg: "EdDSA"},
		{name: "y is p+3", key: jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(notReduced)}, problem: noPoint},
		{name: "y all ones", key: jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(seed(0xff, 32))}, problem: noPoint},
		{name: "a key", key: reduced, alg: "EdDSA"},
	})
}

// TestPointsAsRFC8032 compares with the text of RFC 8032 section 5.1.3, which
// finds x by raising to a power.
func TestPointsAsRFC8032(t *testing.T) {
	t.Parallel()
	points := 0
	for n := range 400 {
		x := sha256.Sum256([]byte{byte(n), byte(n >> 8)})
		want := decodes(x)
		if want {
			points++
		}
		if got := parse(t, setOf(jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(x[:])})).Find("") != nil; got != want {
			t.Errorf("%x: used = %v, want %v", x, got, want)
		}
	}
	if points < 100 || points > 300 {
		t.Errorf("%d of 400 are points: about half should be", points)
	}
	for n := range byte(100) {
		if k := newEd25519(n); parse(t, setOf(k.jwk)).Find("") == nil {
			t.Errorf("the key of seed %d is not used", n)
		}
	}
}

func decodes(in [32]byte) bool {
	in[31] &= 0x7f
	slices.Reverse(in[:])
	y := new(big.Int).SetBytes(in[:])
	p, _ := new(big.Int).SetString("57896044618658097711785492504343953926634992332820282019728792003956564819949", 10)
	d, _ := new(big.Int).SetString("37095705934669439343138083508754565189542113879843219016388785533085940283555", 10)
	if y.Cmp(p) >= 0 {
		return false
	}
	one := big.NewInt(1)
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	y2 := mod(new(big.Int).Mul(y, y))
	u := mod(new(big.Int).Sub(y2, one))
	v := mod(new(big.Int).Add(new(big.Int).Mul(d, y2), one))
	// x = (u/v)^((p+3)/8)
	quotient := mod(new(big.Int).Mul(u, new(big.Int).ModInverse(v, p)))
	power := new(big.Int).Rsh(new(big.Int).Add(p, big.NewInt(3)), 3)
	x := new(big.Int).Exp(quotient, power, p)
	vx2 := mod(new(big.Int).Mul(v, new(big.Int).Mul(x, x)))
	return vx2.Cmp(u) == 0 || vx2.Cmp(mod(new(big.Int).Neg(u))) == 0
}
