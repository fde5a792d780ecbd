package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// The world of these tests: one trust domain, and one moment.
const (
	aud      = "corp.example"
	moment   = 1_800_000_000
	issuedAt = moment - 60
	expires  = moment + 300
	subject  = "user:alice"
	txn      = "txn-1"
	workload = "spiffe://corp/ns/agents/sa/researcher"
)

func now() time.Time { return time.Unix(moment, 0) }

// issuer signs whatever it is given.
type issuer struct {
	alg, kid string
	jwk      string
	method   jwt.SigningMethod
	private  crypto.Signer
}

// issuers have one key of each algorithm, and a second of EdDSA that is
// published nowhere.
var issuers = sync.OnceValue(func() map[string]*issuer {
	out := map[string]*issuer{}
	for _, i := range []*issuer{
		{alg: "EdDSA", kid: "ed", method: jwt.SigningMethodEdDSA, private: edKey()},
		{alg: "EdDSA", kid: "stranger", method: jwt.SigningMethodEdDSA, private: edKey()},
		{alg: "ES256", kid: "es256", method: jwt.SigningMethodES256, private: ecKey(elliptic.P256())},
		{alg: "ES384", kid: "es384", method: jwt.SigningMethodES384, private: ecKey(elliptic.P384())},
		{alg: "RS256", kid: "rs256", method: jwt.SigningMethodRS256, private: rsaKey()},
		{alg: "PS256", kid: "ps256", method: jwt.SigningMethodPS256, private: rsaKey()},
	} {
		i.jwk = jwkOf(i)
		out[i.kid] = i
	}
	return out
})

func edKey() crypto.Signer {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
}

func ecKey(c elliptic.Curve) crypto.Signer {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	must(err)
	return k
}

func rsaKey() crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	return k
}

func must(err error) {
	if err != nil {
		panic(err) // no randomness, or a slip in the test: nothing to go on with
	}
}

func jwkOf(i *issuer) string {
	head := fmt.Sprintf(`{"kid":%q,"alg":%q,"use":"sig",`, i.kid, i.alg)
	switch k := i.private.Public().(type) {
	case ed25519.PublicKey:
		return head + fmt.Sprintf(`"kty":"OKP","crv":"Ed25519","x":%q}`, b64(k))
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		must(err)
		n := (len(point) - 1) / 2
		return head + fmt.Sprintf(`"kty":"EC","crv":%q,"x":%q,"y":%q}`, k.Curve.Params().Name, b64(point[1:1+n]), b64(point[1+n:]))
	case *rsa.PublicKey:
		return head + fmt.Sprintf(`"kty":"RSA","n":%q,"e":%q}`, b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes()))
	}
	panic("no such key")
}

// jwksOf is a key set of those issuers.
func jwksOf(kids ...string) []byte {
	var keys []string
	for _, kid := range kids {
		keys = append(keys, issuers()[kid].jwk)
	}
	return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`)
}

func sha(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

func b64[T ~[]byte | ~string](b T) string { return base64.RawURLEncoding.EncodeToString([]byte(b)) }

// seal signs text as it is.
func (i *issuer) seal(signed string) string {
	sig, err := i.method.Sign(signed, i.private)
	must(err)
	return signed + "." + b64(sig)
}

// token signs a header and a payload, whatever they are.
func (i *issuer) token(header, payload string) string {
	return i.seal(b64(header) + "." + b64(payload))
}

// header is one that is believed, with more members.
func (i *issuer) header(more ...string) string {
	return "{" + strings.Join(append([]string{`"typ":"txntoken+jwt"`, `"alg":"` + i.alg + `"`, `"kid":"` + i.kid + `"`}, more...), ",") + "}"
}

// claims signs a payload under a header that is believed.
func (i *issuer) claims(edits ...edit) string { return i.token(i.header(), payload(edits...)) }

func ed() *issuer { return issuers()["ed"] }

// edit changes the members of a payload, each `"name":value`.
type edit func([]string) []string

func payload(edits ...edit) string {
	members := []string{
		fmt.Sprintf(`"iat":%d`, issuedAt), fmt.Sprintf(`"exp":%d`, expires), `"aud":"` + aud + `"`, `"txn":"` + txn + `"`,
		`"sub":"` + subject + `"`, `"scope":"research.read web.read"`, `"req_wl":"` + workload + `"`,
	}
	for _, e := range edits {
		members = e(members)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// set gives a member another value, or adds it at the end.
func set(name, value string) edit {
	return func(members []string) []string { return add(`"` + name + `":` + value)(drop(name)(members)) }
}

// add adds members as they are.
func add(members ...string) edit {
	return func(have []string) []string { return append(have, members...) }
}

func drop(names ...string) edit {
	return func(members []string) []string {
		return slices.DeleteFunc(members, func(m string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(m, `"`+n+`":`) })
		})
	}
}

// from and until set times.
func from(iat int64) edit  { return set("iat", fmt.Sprint(iat)) }
func until(exp int64) edit { return set("exp", fmt.Sprint(exp)) }

// corp is the trust domain; it has a key of each algorithm and allows all.
func corp(change ...func(*feedv1.TrustDomain)) feedv1.TrustDomain {
	d := feedv1.TrustDomain{
		Key: feedv1.Key{Namespace: "agents", Name: "corp"}, Audience: aud, Algorithms: []string{"ES256", "ES384", "EdDSA", "PS256", "RS256"},
		MaxLifetime: 15 * time.Minute, MaxTxn: time.Hour, Leeway: 5 * time.Second, AgentProfile: v1alpha1.AgentProfileActor,
		KeySet: feedv1.KeySet{JWKS: jwksOf("ed", "es256", "es384", "rs256", "ps256")},
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

// verdict is what a Verifier of one domain says of a token now.
func verdict(t testing.TB, d feedv1.TrustDomain, raw string) (*Claims, Reason) {
	t.Helper()
	c, _, code := verifier(t, d).Verify(t.Context(), now(), raw, listener(d), Peer{})
	if (c == nil) != (code != "") {
		t.Fatalf("claims %+v come with code %q", c, code)
	}
	return c, Reason(strings.TrimPrefix(code, "token_"))
}

// wants fails unless a token is refused for that reason, or believed for none.
func wants(t testing.TB, d feedv1.TrustDomain, raw string, want Reason) *Claims {
	t.Helper()
	c, got := verdict(t, d, raw)
	if got != want {
		t.Errorf("reason is %q, want %q", got, want)
	}
	return c
}
