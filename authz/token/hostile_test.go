package token

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// attack is a token that somebody made, and what becomes of it.
type attack struct {
	name, raw string
	want      Reason // empty: harmless, and believed
}

// attacks are all that are known. Those under "libraries" are the rows of
// ../shared/reference/policy-perf.md section 2.3: some library accepts each.
func attacks() []attack {
	return slices.Concat(libraries(), headers(), forms(), payloads())
}

func TestAttacks(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range attacks() {
		if seen[a.name] {
			t.Fatalf("two attacks have the name %s", a.name)
		}
		seen[a.name] = true
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			wants(t, corp(), a.raw, a.want)
		})
	}
}

// libraries need a domain that, like the libraries in that table, would accept
// every algorithm.
func libraries() []attack {
	e, es := ed(), issuers()["es256"]
	good := e.claims()
	signed, sig := cutLast(good)
	return []attack{
		{"alg none", b64(`{"typ":"txntoken+jwt","alg":"none","kid":"ed"}`) + "." + b64(payload()) + ".", ReasonMalformed},
		{"alg none with a signature", b64(`{"typ":"txntoken+jwt","alg":"none","kid":"ed"}`) + "." + b64(payload()) + "." + sig, ReasonBadAlg},
		{"alg NoNe", b64(`{"typ":"txntoken+jwt","alg":"NoNe","kid":"ed"}`) + "." + b64(payload()) + "." + sig, ReasonBadAlg},
		{"alg HS256 with the public key as the secret", hs256(e), ReasonBadAlg},
		{"an embedded key of the attacker", stranger().token(stranger().header(`"jwk":`+stranger().jwk), payload()), ReasonMalformed},
		{"r and s are zero", es.unsigned() + "." + b64(make([]byte, 64)), ReasonBadSignature},
		{"a kid that climbs folders", e.token(kidded(e, `"../../../../dev/null"`), payload()), ReasonUnknownKey},
		{"a numeric kid", e.token(kidded(e, `7`), payload()), ReasonMalformed},
		{"alg es256", es.token(`{"typ":"txntoken+jwt","alg":"es256","kid":"es256"}`, payload()), ReasonBadAlg},
		{"ES256 malleated", malleated(es.claims()), ""},
		{"bits behind the last byte of the header", e.seal(dangling(b64(ragged(e.header()))) + "." + b64(payload())), ReasonMalformed},
		{"bits behind the last byte of the payload", e.seal(b64(e.header()) + "." + dangling(b64(ragged(payload())))), ReasonMalformed},
		{"bits behind the last byte of the signature", signed + "." + dangling(sig), ReasonMalformed},
		{"a line break in the header", e.seal(b64(e.header())[:8] + "\n" + b64(e.header())[8:] + "." + b64(payload())), ReasonMalformed},
		{"a line break in the signature", good[:len(good)-4] + "\n" + good[len(good)-4:], ReasonMalformed},
		{"padding", e.seal(b64(e.header()) + "=." + b64(payload())), ReasonMalformed},
		{"padding behind the signature", good + "==", ReasonMalformed},
		{"a space in front", " " + good, ReasonMalformed},
		{"a line break behind", good + "\n", ReasonMalformed},
		{"an unknown crit", e.token(e.header(`"crit":["x"]`, `"x":1`), payload()), ReasonMalformed},
		{"an empty crit", e.token(e.header(`"crit":[]`), payload()), ReasonMalformed},
		{"b64 false", e.token(e.header(`"b64":false`), payload()), ReasonMalformed},
		{"b64 false with crit", e.token(e.header(`"b64":false`, `"crit":["b64"]`), payload()), ReasonMalformed},
		{"b64 false, payload not encoded", e.seal(b64(e.header(`"b64":false`)) + "." + payload()), ReasonMalformed},
		{"alg twice", e.token(e.header(`"alg":"none"`), payload()), ReasonMalformed},
		{"sub twice", e.claims(add(`"sub":"user:root"`)), ReasonMalformed},
		{"exp twice", e.claims(add(`"exp":4000000000`)), ReasonMalformed},
		{"sub twice, once escaped", e.claims(add(`"\u0073ub":"user:root"`)), ReasonMalformed},
		{"SUB after sub", e.claims(add(`"SUB":"user:root"`)), ReasonMalformed},
		{"exp past, EXP in the future", e.claims(until(moment-100), add(`"EXP":4000000000`)), ReasonMalformed},
		{"JSON behind the payload", e.token(e.header(), payload()+payload()), ReasonMalformed},
		{"exp a text", e.claims(set("exp", fmt.Sprintf(`"%d"`, expires))), ReasonMissingClaim},
		{"exp 0", e.claims(until(0)), ReasonMissingClaim},
		{"no exp", e.claims(drop("exp")), ReasonMissingClaim},
		{"iat an hour ahead", e.claims(from(moment+3600), until(moment+3900)), ReasonNotYet},
		{"typ at+jwt", e.token(`{"typ":"at+jwt","alg":"EdDSA","kid":"ed"}`, payload()), ReasonBadType},
		{"cty JWT, a token in a token", e.token(e.header(`"cty":"JWT"`), good), ReasonMalformed},
		{"a token in a token without cty", e.token(e.header(), good), ReasonMalformed},
		{"JSON general serialization", general(good), ReasonMalformed},
		{"JSON flattened serialization", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, b64(e.header()), b64(payload()), sig), ReasonMalformed},
		{"a header of 200 KB", e.token(e.header(`"x5t":"`+strings.Repeat("a", 200_000)+`"`), payload()), ReasonMalformed},
		{"a header of 5,000 levels", e.token(e.header(`"x5t":`+nested(5000)), payload()), ReasonMalformed},
		{"a header of 5 levels", e.token(e.header(`"x5t":`+nested(4)), payload()), ReasonMalformed},
		{"a payload of 5,000 levels", e.claims(set("x", nested(5000))), ReasonMalformed},
		{"a payload of 2,000 levels", e.claims(set("x", nested(2000))), ReasonMalformed},
		{"sub is not UTF-8", e.claims(set("sub", "\"a\xff\"")), ReasonMalformed},
		{"sub is half of a surrogate pair", e.claims(set("sub", `"a\ud800"`)), ReasonMalformed},
		{"aud names others too", e.claims(set("aud", `["corp.example","other.example"]`)), ReasonMissingClaim},
	}
}

func headers() []attack {
	e, es, rs, ps := ed(), issuers()["es256"], issuers()["rs256"], issuers()["ps256"]
	typed := func(typ string) string {
		return e.token(`{"typ":`+typ+`,"alg":"EdDSA","kid":"ed"}`, payload())
	}
	as := func(i *issuer, alg, kid string) string {
		return i.token(fmt.Sprintf(`{"typ":"txntoken+jwt","alg":%q,"kid":%q}`, alg, kid), payload())
	}
	return []attack{
		{"typ in other case", typed(`"TxnToken+JWT"`), ""},
		{"typ with application/", typed(`"application/txntoken+jwt"`), ""},
		{"typ with Application/ in other case", typed(`"Application/TXNTOKEN+jwt"`), ""},
		{"typ with application/ twice", typed(`"application/application/txntoken+jwt"`), ReasonBadType},
		{"typ with another top-level type", typed(`"text/txntoken+jwt"`), ReasonBadType},
		{"typ is application/ alone", typed(`"application/"`), ReasonBadType},
		{"typ with a parameter", typed(`"txntoken+jwt; v=1"`), ReasonBadType},
		{"typ with a Kelvin sign", typed("\"txnto\u212aen+jwt\""), ReasonBadType},
		{"typ of an early draft", typed(`"txn_token"`), ReasonBadType},
		{"typ JWT", typed(`"JWT"`), ReasonBadType},
		{"typ is empty", typed(`""`), ReasonBadType},
		{"typ is null", typed(`null`), ReasonBadType},
		{"typ is a list", typed(`["txntoken+jwt"]`), ReasonBadType},
		{"no typ", e.token(`{"alg":"EdDSA","kid":"ed"}`, payload()), ReasonBadType},
		{"TYP in place of typ", e.token(`{"TYP":"txntoken+jwt","alg":"EdDSA","kid":"ed"}`, payload()), ReasonMalformed},
		{"typ in escapes", typed(`"\u0074xntoken+jwt"`), ""},
		{"no alg", e.token(`{"typ":"txntoken+jwt","kid":"ed"}`, payload()), ReasonBadAlg},
		{"alg is a list", e.token(`{"typ":"txntoken+jwt","alg":["EdDSA"],"kid":"ed"}`, payload()), ReasonBadAlg},
		{"alg Ed25519", as(e, "Ed25519", "ed"), ReasonBadAlg},
		{"alg ES512", as(es, "ES512", "es256"), ReasonBadAlg},
		{"alg of another curve than the key's", as(es, "ES384", "es256"), ReasonBadAlg},
		{"an RS256 key with alg PS256", as(ps, "PS256", "rs256"), ReasonBadAlg},
		{"a PS256 key with alg RS256", as(rs, "RS256", "ps256"), ReasonBadAlg},
		{"an EdDSA key with alg ES256", as(es, "ES256", "ed"), ReasonBadAlg},
		{"the kid of another key of the same algorithm", as(stranger(), "EdDSA", "ed"), ReasonBadSignature},
		{"a kid that nobody has", as(e, "EdDSA", "nobody"), ReasonUnknownKey},
		{"a kid in other case", as(e, "EdDSA", "ED"), ReasonUnknownKey},
		{"a kid that is a prefix", as(e, "EdDSA", "e"), ReasonUnknownKey},
		{"a kid that is a URL", as(e, "EdDSA", "https://evil.example/jwks#ed"), ReasonUnknownKey},
		{"no kid where there are many keys", e.token(`{"typ":"txntoken+jwt","alg":"EdDSA"}`, payload()), ReasonUnknownKey},
		{"an empty kid", e.token(kidded(e, `""`), payload()), ReasonMalformed},
		{"kid is null", e.token(kidded(e, `null`), payload()), ReasonMalformed},
		{"kid is a list", e.token(kidded(e, `["ed"]`), payload()), ReasonMalformed},
		{"kid with a space", e.token(kidded(e, `"ed "`), payload()), ReasonMalformed},
		{"kid with a line break", e.token(kidded(e, `"ed\n"`), payload()), ReasonMalformed},
		{"kid with a NUL", e.token(kidded(e, `"ed\u0000"`), payload()), ReasonMalformed},
		{"kid beyond ASCII", e.token(kidded(e, `"éd"`), payload()), ReasonMalformed},
		{"kid of 128 bytes", e.token(kidded(e, `"`+strings.Repeat("k", 128)+`"`), payload()), ReasonUnknownKey},
		{"kid of 129 bytes", e.token(kidded(e, `"`+strings.Repeat("k", 129)+`"`), payload()), ReasonMalformed},
		{"jku", e.token(e.header(`"jku":"https://evil.example/jwks"`), payload()), ReasonMalformed},
		{"x5u", e.token(e.header(`"x5u":"https://evil.example/cert"`), payload()), ReasonMalformed},
		{"x5c", e.token(e.header(`"x5c":["MIIB"]`), payload()), ReasonMalformed},
		{"zip", e.token(e.header(`"zip":"DEF"`), payload()), ReasonMalformed},
		{"enc", e.token(e.header(`"enc":"A128GCM"`), payload()), ReasonMalformed},
		{"thumbprints in the header", e.token(e.header(`"x5t":"x"`, `"x5t#S256":"y"`), payload()), ""},
		{"a header that is a list", e.token(`["EdDSA"]`, payload()), ReasonMalformed},
		{"a header that is a text", e.token(`"EdDSA"`, payload()), ReasonMalformed},
		{"a header that is no JSON", e.token(`{"typ":"txntoken+jwt"`, payload()), ReasonMalformed},
		{"a header with a byte order mark", e.token("\xef\xbb\xbf"+e.header(), payload()), ReasonMalformed},
		{"a header with spaces", e.token(" "+e.header()+"\n", payload()), ""},
		{"JSON behind the header", e.token(e.header()+"{}", payload()), ReasonMalformed},
	}
}

// forms are about the three parts.
func forms() []attack {
	good := ed().claims()
	signed, sig := cutLast(good)
	return []attack{
		{"nothing", "", ReasonMalformed},
		{"a dot", ".", ReasonMalformed},
		{"two dots", "..", ReasonMalformed},
		{"two tokens joined by a comma", good + "," + good, ReasonMalformed},
		{"two tokens joined by a comma and a space", good + ", " + good, ReasonMalformed},
		{"two tokens on end", good + good, ReasonMalformed},
		{"two parts", signed, ReasonMalformed},
		{"four parts", good + "." + sig, ReasonMalformed},
		{"four parts, the last empty", good + ".", ReasonMalformed},
		{"five parts, as an encrypted token has", good + ".x.y", ReasonMalformed},
		{"an empty signature", signed + ".", ReasonMalformed},
		{"an empty header", "." + b64(payload()) + "." + sig, ReasonMalformed},
		{"an empty payload", ed().seal(b64(ed().header()) + "."), ReasonMalformed},
		{"a scheme in front", "Bearer " + good, ReasonMalformed},
		{"quotes around", `"` + good + `"`, ReasonMalformed},
		{"the alphabet of plain base64", ed().seal(b64(ed().header()) + "." + strings.ReplaceAll(b64(payload(set("x", `"???>>>"`))), "_", "/")), ReasonMalformed},
		{"a part of one character", ed().seal("e." + b64(payload())), ReasonMalformed},
		{"a NUL", good + "\x00", ReasonMalformed},
		{"a letter beyond ASCII", good[:9] + "é" + good[9:], ReasonMalformed},
		{"more than 8 KiB", padded(MaxBytes + 1), ReasonMalformed},
		{"8 KiB", padded(MaxBytes), ""},
		{"a megabyte of dots", strings.Repeat(".", 1<<20), ReasonMalformed},
		{"a signature cut short", signed + "." + b64(decode(sig)[:63]), ReasonBadSignature},
		{"a longer signature", signed + "." + b64(append(decode(sig), 0)), ReasonBadSignature},
		{"an EdDSA signature with another number for the same", raised(good), ReasonBadSignature},
		{"the signature of another token", signed + "." + second(cutLast(ed().claims(set("sub", `"x"`)))), ReasonBadSignature},
		{"another payload under the signature", b64(ed().header()) + "." + b64(payload(set("sub", `"user:root"`))) + "." + sig, ReasonBadSignature},
	}
}

// ES256 signatures have a twin. It verifies, and is the same token: the same
// claims under the same name, so that what is held against the one is held
// against the other.
func TestMalleatedIsTheSameToken(t *testing.T) {
	t.Parallel()
	for _, kid := range []string{"es256", "es384"} {
		t.Run(kid, func(t *testing.T) {
			t.Parallel()
			raw := issuers()[kid].claims()
			twin := malleated(raw)
			if raw == twin {
				t.Fatal("the twin is the token itself")
			}
			one, other := wants(t, corp(), raw, ""), wants(t, corp(), twin, "")
			if diff := cmp.Diff(one, other); diff != "" {
				t.Errorf("claims differ:\n%s", diff)
			}
		})
	}
}

func TestEachAlgorithm(t *testing.T) {
	t.Parallel()
	for kid, i := range issuers() {
		if kid == stranger().kid {
			continue
		}
		t.Run(i.alg, func(t *testing.T) {
			t.Parallel()
			c := wants(t, corp(), i.claims(), "")
			if c == nil || c.KeyID != kid || c.Subject != subject {
				t.Errorf("claims: %+v", c)
			}
			only := corp()
			only.Algorithms = []string{i.alg}
			wants(t, only, i.claims(), "")
			others := corp()
			others.Algorithms = slices.DeleteFunc(slices.Clone(others.Algorithms), func(a string) bool { return a == i.alg })
			wants(t, others, i.claims(), ReasonBadAlg)
			others.Algorithms = nil
			wants(t, others, i.claims(), ReasonBadAlg)
		})
	}
}

// Where a set has one key, a token need not name it; the claims still say
// which it was.
func TestNoKeyID(t *testing.T) {
	t.Parallel()
	one := corp()
	one.KeySet.JWKS = jwksOf("ed")
	c := wants(t, one, ed().token(`{"typ":"txntoken+jwt","alg":"EdDSA"}`, payload()), "")
	if c == nil || c.KeyID != "ed" {
		t.Errorf("claims: %+v", c)
	}
	// A domain that is told to believe what its keys cannot be is not fooled.
	one.Algorithms = []string{"HS256", "none", "EdDSA"}
	wants(t, one, hs256(ed()), ReasonBadAlg)
}

func stranger() *issuer { return issuers()["stranger"] }

// unsigned is what i would sign.
func (i *issuer) unsigned() string { return b64(i.header()) + "." + b64(payload()) }

func kidded(i *issuer, kid string) string {
	return `{"typ":"txntoken+jwt","alg":"` + i.alg + `","kid":` + kid + `}`
}

func cutLast(raw string) (signed, sig string) {
	i := strings.LastIndexByte(raw, '.')
	return raw[:i], raw[i+1:]
}

func second(_, b string) string { return b }

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// hs256 is signed with the public key of i as a shared secret, in the form in
// which it is published.
func hs256(i *issuer) string {
	signed := b64(`{"typ":"txntoken+jwt","alg":"HS256","kid":"`+i.kid+`"}`) + "." + b64(payload())
	mac := hmac.New(sha256.New, []byte(i.jwk))
	mac.Write([]byte(signed))
	return signed + "." + b64(mac.Sum(nil))
}

// dangling sets a bit behind the last whole byte of base64url.
func dangling(text string) string {
	if len(text)%4 == 0 {
		panic("no bit is left over")
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(digits, text[len(text)-1])
	return text[:len(text)-1] + digits[i+1:i+2]
}

// malleated replaces s of an ECDSA signature by n - s.
func malleated(raw string) string {
	signed, sig := cutLast(raw)
	b := decode(sig)
	half := len(b) / 2
	n := elliptic.P256().Params().N
	if half == 48 {
		n = elliptic.P384().Params().N
	}
	new(big.Int).Sub(n, new(big.Int).SetBytes(b[half:])).FillBytes(b[half:])
	return signed + "." + b64(b)
}

// raised adds the order of the group to s of an Ed25519 signature (RFC 8032
// section 5.1.7 refuses that).
func raised(raw string) string {
	signed, sig := cutLast(raw)
	b := decode(sig)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(b[32:])
	slices.Reverse(s)
	new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(s)
	slices.Reverse(s)
	return signed + "." + b64(append(b[:32], s...))
}

func general(raw string) string {
	signed, sig := cutLast(raw)
	header, body, _ := strings.Cut(signed, ".")
	return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, body, header, sig)
}

// padded is a good token of exactly so many bytes.
func padded(size int) string {
	e := ed()
	for spaces := range 3 {
		header := e.header() + strings.Repeat(" ", spaces)
		for n := range size {
			body := payload(set("x", `"`+strings.Repeat("a", n)+`"`))
			enc := base64.RawURLEncoding
			if enc.EncodedLen(len(header))+enc.EncodedLen(len(body))+enc.EncodedLen(ed25519.SignatureSize)+2 == size {
				return e.token(header, body)
			}
		}
	}
	panic("no token has that length")
}

// ragged is JSON that does not end with a whole group of base64url.
func ragged(text string) string {
	for len(text)%3 == 0 {
		text += " "
	}
	return text
}

func decode(text string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(text)
	must(err)
	return b
}
