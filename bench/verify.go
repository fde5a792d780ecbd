package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Budget of a token that was not seen before (design, section 8): so many
// times its signature alone, and so much.
const (
	budgetVerifyTimes = 1.25
	budgetVerifyPlus  = 15 // us
)

// signed is a token taken apart, for who looks at the signature alone.
type signed struct {
	raw, input string
	signature  []byte
}

func (b *bench) verify(ctx context.Context) ([]figure, error) {
	key, err := token.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ed, es, err := tokens(key, ec, time.Now())
	if err != nil {
		return nil, err
	}
	edWork, err := verifying("EdDSA", key.JWKS(), ed, 1)
	if err != nil {
		return nil, err
	}
	esKeys, err := ecKeys(&ec.PublicKey)
	if err != nil {
		return nil, err
	}
	esWork, err := verifying("ES256", esKeys, es, 1)
	if err != nil {
		return nil, err
	}
	hit, err := verifying("remembered", key.JWKS(), ed, len(ed))
	if err != nil {
		return nil, err
	}
	edRaw, esRaw := rawEd(key.Public(), ed), rawEC(&ec.PublicKey, es)
	if err := b.inTurn(ctx, "verify", []*work{edWork, edRaw, esWork, esRaw, hit}, b.span()/2); err != nil {
		return nil, err
	}
	budget := budgetVerifyTimes*esRaw.quiet() + budgetVerifyPlus
	return []figure{
		newFigure("verify/ES256", "CPU of a token not seen before; baseline: its signature alone", esWork.quiet(), micros).against(esRaw.quiet()).within(budget),
		newFigure("verify/EdDSA", "the same with Ed25519", edWork.quiet(), micros).against(edRaw.quiet()),
		newFigure("verify/remembered", "a token seen before; baseline: not seen, EdDSA", hit.quiet(), micros).against(edWork.quiet()),
	}, nil
}

// tokensInTurn are more than a cache of one can remember.
const tokensInTurn = 64

// tokens are pairs of tokens with the same claims, signed by either key.
func tokens(key *token.Key, ec *ecdsa.PrivateKey, now time.Time) (ed, es []signed, err error) {
	for i := range tokensInTurn {
		raw, err := mint(key, fmt.Sprintf("txn-%d", i), now)
		if err != nil {
			return nil, nil, err
		}
		t, err := takeApart(raw)
		if err != nil {
			return nil, nil, err
		}
		again, err := signEC(t, ec)
		if err != nil {
			return nil, nil, err
		}
		ed, es = append(ed, t), append(es, again)
	}
	return ed, es, nil
}

func takeApart(raw string) (signed, error) {
	dot := strings.LastIndexByte(raw, '.')
	if dot < 0 {
		return signed{}, errors.New("a token has no parts")
	}
	sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	return signed{raw, raw[:dot], sig}, err
}

const ecKeyID = "ec-1"

// signEC makes of a token one with the same claims and an ES256 signature
// (RFC 7518 section 3.4).
func signEC(t signed, ec *ecdsa.PrivateKey) (signed, error) {
	_, payload, _ := strings.Cut(t.input, ".")
	header := fmt.Sprintf(`{"typ":%q,"alg":"ES256","kid":%q}`, token.Type, ecKeyID)
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, ec, sum[:])
	if err != nil {
		return signed{}, fmt.Errorf("sign token: %w", err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return signed{input + "." + base64.RawURLEncoding.EncodeToString(sig), input, sig}, nil
}

// ecKeys is a JWK Set (RFC 7518 section 6.2.1).
func ecKeys(p *ecdsa.PublicKey) ([]byte, error) {
	point, err := p.Bytes() // 4, x, y
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	return fmt.Appendf(nil, `{"keys":[{"kty":"EC","crv":"P-256","x":%q,"y":%q,"kid":%q,"alg":"ES256","use":"sig"}]}`,
		enc(point[1:33]), enc(point[33:]), ecKeyID), nil
}

// verifying verifies tokens in turn, with memory for so many of them.
func verifying(name string, jwks []byte, all []signed, remember int) (*work, error) {
	v, err := token.New(token.Config{CacheSize: remember})
	if err != nil {
		return nil, err
	}
	domain := feedv1.Key{Namespace: namespace, Name: "local"}
	if err := v.Apply([]feedv1.TrustDomain{trustDomain(domain, jwks)}); err != nil {
		return nil, err
	}
	now, l, i := time.Now(), &feedv1.Listener{Name: "agents", TrustDomains: []feedv1.Key{domain}}, 0
	next := func() string {
		_, _, code := v.Verify(context.Background(), now, all[i%len(all)].raw, l, token.Peer{})
		i++
		return code
	}
	for range all {
		if code := next(); code != "" {
			return nil, fmt.Errorf("a token of %s is refused: %s", name, code)
		}
	}
	return &work{name: name, do: func() { next() }}, nil
}

// rawEd and rawEC do what nobody can leave out.
func rawEd(p ed25519.PublicKey, all []signed) *work {
	i := 0
	return &work{name: "raw EdDSA", do: func() {
		t := &all[i%len(all)]
		i++
		if !ed25519.Verify(p, []byte(t.input), t.signature) {
			panic("a signature of ours is not one")
		}
	}}
}

func rawEC(p *ecdsa.PublicKey, all []signed) *work {
	i := 0
	return &work{name: "raw ES256", do: func() {
		t := &all[i%len(all)]
		i++
		sum := sha256.Sum256([]byte(t.input))
		if !ecdsa.Verify(p, sum[:], new(big.Int).SetBytes(t.signature[:32]), new(big.Int).SetBytes(t.signature[32:])) {
			panic("a signature of ours is not one")
		}
	}}
}
