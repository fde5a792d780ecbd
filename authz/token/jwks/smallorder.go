package jwks

import "encoding/hex"

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
	y := append([]byte(nil), x...)
	y[31] &= 0x7f
	text := hex.EncodeToString(y)
	for _, s := range smallOrders {
		if s == text {
			return true
		}
	}
	return false
}
