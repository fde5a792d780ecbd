package jwks_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
)

// rfcX is the public key of RFC 8037 appendix A.2.
const rfcX = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

// TestSignaturesOfRFCs: keys and signatures as the RFCs print them.
func TestSignaturesOfRFCs(t *testing.T) {
	t.Parallel()
	const payload = ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	for _, v := range []struct{ name, key, signed, sig, alg string }{
		{
			name: "RFC 8037 appendix A.4", alg: jwks.EdDSA,
			key:    `{"kty":"OKP","crv":"Ed25519","x":"` + rfcX + `"}`,
			signed: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
			sig:    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
		},
		{
			name: "RFC 7515 appendix A.2", alg: jwks.RS256,
			key: `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_` +
				`YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9` +
				`kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`,
			signed: "eyJhbGciOiJSUzI1NiJ9" + payload,
			sig: "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--" +
				"f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUip" +
				"UTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		},
		{
			name: "RFC 7515 appendix A.3", alg: jwks.ES256,
			key:    `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			signed: "eyJhbGciOiJFUzI1NiJ9" + payload,
			sig:    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			k := onlyKey(t, []byte(`{"keys":[`+v.key+`]}`))
			sig := must(base64.RawURLEncoding.DecodeString(v.sig))
			if k.Algorithm != v.alg || !k.Verify(v.signed, sig) {
				t.Errorf("a key for %s does not verify it", k.Algorithm)
			}
			if k.Verify(strings.Replace(v.signed, "eyJ", "eyK", 1), sig) {
				t.Error("another text is verified")
			}
		})
	}
}

// TestKeysOfRFC7638 is the key of its section 3.1, of which it makes a
// thumbprint, beside one of a kind that is not known here.
func TestKeysOfRFC7638(t *testing.T) {
	t.Parallel()
	s := parse(t, []byte(`{"keys":[{"kty":"AKP","kid":"future","alg":"ML-DSA-65","pub":"AAAA"},{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbf`+
		`AAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8`+
		`KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",`+
		`"e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}`))
	if diff := cmp.Diff([]string{"2011-04-29"}, s.IDs()); diff != "" {
		t.Error(diff)
	}
	if k := s.Find("2011-04-29"); k == nil || k.Algorithm != jwks.RS256 {
		t.Errorf("found %v", k)
	}
}

// TestThumbprint: RFC 8037 appendix A.3, and the key of RFC 9421 appendix
// B.1.4, whose thumbprint other implementations print.
func TestThumbprint(t *testing.T) {
	t.Parallel()
	for x, want := range map[string]string{
		rfcX: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
		"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs": "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U",
	} {
		if got := jwks.Thumbprint(must(base64.RawURLEncoding.DecodeString(x))); got != want {
			t.Errorf("thumbprint of %s is %s, want %s", x, got, want)
		}
	}
}

// TestEd25519 reads back what it made.
func TestEd25519(t *testing.T) {
	t.Parallel()
	s := newEd25519(7)
	public := ed25519.PublicKey(must(base64.RawURLEncoding.DecodeString(s.jwk["x"].(string))))
	k := parse(t, jwks.Ed25519(public)).Find(jwks.Thumbprint(public))
	if k == nil || k.Algorithm != jwks.EdDSA || !k.Verify("text", s.sign("text")) {
		t.Errorf("found %v", k)
	}
}
