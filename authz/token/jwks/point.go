package jwks

import (
	"encoding/hex"
	"math/big"
	"slices"
)

// smallOrders are the y coordinates, little-endian and without the sign bit,
// of all points on edwards25519 whose order divides eight, with those
// encodings of them that are not reduced. With such a "key" a signature that
// holds can be made for almost any text without a secret.
var smallOrders = [...]string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func smallOrder(x []byte) bool {
	return slices.Contains(smallOrders[:], hex.EncodeToString(withoutSign(x)))
}

// withoutSign is the y coordinate that a point is encoded by.
func withoutSign(x []byte) []byte {
	y := slices.Clone(x)
	y[31] &= 0x7f
	return y
}

// onEdwards25519 reports whether x is a point (RFC 8032 section 5.1.3): its y
// is reduced, and (y^2-1) / (dy^2+1) has a square root. crypto/ed25519 finds
// out only when it verifies, and calls every signature of such a key wrong.
func onEdwards25519(x []byte) bool {
	bytes := withoutSign(x)
	slices.Reverse(bytes)
	y := new(big.Int).SetBytes(bytes)
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	p.Sub(p, big.NewInt(19))
	if y.Cmp(p) >= 0 {
		return false
	}
	// With d = -121665/121666, both multiplied by 121666. A quotient has a root
	// exactly when the product has.
	y2 := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(y2, big.NewInt(1))
	u.Mul(u, big.NewInt(121666))
	v := new(big.Int).Mul(y2, big.NewInt(121665))
	v.Sub(big.NewInt(121666), v)
	u.Mul(u, v).Mod(u, p)
	return big.Jacobi(u, p) >= 0
}
