package token

import (
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// The vectors are the body of the draft's example, signed with the Ed25519 key
// of RFC 8037 appendix A.
const (
	vectorJWKS = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"tv-1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	vectorFrom = 1686536226
	vectorTo   = 1686536586

	tv1 = "eyJ0eXAiOiJ0eG50b2tlbitqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6InR2LTEifQ.eyJpYXQiOjE2ODY1MzYyMjYsImF1ZCI6InRydXN0LWRvbWFpbi5leGFtcGxlIiwiZXhwIjoxNjg2NTM2NTg2LCJ0eG4iOiI5NzA1Mzk2My03NzFkLTQ5Y2MtYTRlMy0yMGFhZDM5OWMzMTIiLCJzdWIiOiJkMDg0c2RydDIzNGZzYXczNHRyMjN0IiwicmVxX3dsIjoiYXBpZ2F0ZXdheS50cnVzdC1kb21haW4uZXhhbXBsZSIsInJjdHgiOnsicmVxX2lwIjoiNjkuMTUxLjcyLjEyMyIsImF1dGhuIjoiZmFjZSJ9LCJzY29wZSI6InRyYWRlLnN0b2NrcyIsInRjdHgiOnsiYWN0aW9uIjoiQlVZIiwidGlja2VyIjoiTVNGVCIsInF1YW50aXR5IjoiMTAwIiwiY3VzdG9tZXJfdHlwZSI6eyJnZW8iOiJVUyIsImxldmVsIjoiVklQIn19fQ.PmOoxgtz7zvakrxu3nb7hyIiUkvM9kL0NaCQe3-xhjwg0COS4JgkiaGe3ppYzz584I9I78wr-eEad5l_NBnKAQ"
	tv2 = "eyJ0eXAiOiJ0eG50b2tlbitqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6InR2LTEifQ.eyJpYXQiOjE2ODY1MzYyMjYsImF1ZCI6InRydXN0LWRvbWFpbi5leGFtcGxlIiwiZXhwIjoxNjg2NTM2NTg2LCJ0eG4iOiI5NzA1Mzk2My03NzFkLTQ5Y2MtYTRlMy0yMGFhZDM5OWMzMTIiLCJzdWIiOiJkMDg0c2RydDIzNGZzYXczNHRyMjN0IiwicmVxX3dsIjoiYXBpZ2F0ZXdheS50cnVzdC1kb21haW4uZXhhbXBsZSIsInJjdHgiOnsicmVxX2lwIjoiNjkuMTUxLjcyLjEyMyIsImF1dGhuIjoiZmFjZSJ9LCJzY29wZSI6InRyYWRlLnN0b2NrcyIsInRjdHgiOnsiYWN0aW9uIjoiQlVZIiwidGlja2VyIjoiTVNGVCIsInF1YW50aXR5IjoiMTAwIiwiY3VzdG9tZXJfdHlwZSI6eyJnZW8iOiJVUyIsImxldmVsIjoiVklQIn19LCJhY3QiOnsic3ViIjoiYWdlbnQtaWRlbnRpdHktMSJ9fQ.U_ZFI7MVxoO1myR8hL8Py6yLC0C3K6VESNDHigRd_rz7pWRxuiPrdoeZ1VMlPUjxIRLB3HrzTyCWSlBJBkgDCg"
	tv3 = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6InR2LTEifQ.eyJpYXQiOjE2ODY1MzYyMjYsImF1ZCI6InRydXN0LWRvbWFpbi5leGFtcGxlIiwiZXhwIjoxNjg2NTM2NTg2LCJ0eG4iOiI5NzA1Mzk2My03NzFkLTQ5Y2MtYTRlMy0yMGFhZDM5OWMzMTIiLCJzdWIiOiJkMDg0c2RydDIzNGZzYXczNHRyMjN0IiwicmVxX3dsIjoiYXBpZ2F0ZXdheS50cnVzdC1kb21haW4uZXhhbXBsZSIsInJjdHgiOnsicmVxX2lwIjoiNjkuMTUxLjcyLjEyMyIsImF1dGhuIjoiZmFjZSJ9LCJzY29wZSI6InRyYWRlLnN0b2NrcyIsInRjdHgiOnsiYWN0aW9uIjoiQlVZIiwidGlja2VyIjoiTVNGVCIsInF1YW50aXR5IjoiMTAwIiwiY3VzdG9tZXJfdHlwZSI6eyJnZW8iOiJVUyIsImxldmVsIjoiVklQIn19fQ.w7IApBuNvTUzJataH5NNSPD8yO-i18SFCy4EBMxFOGpoEJoJ9CctM6-aznh-J3j4VaWxlcFS0jZjyWPwicFCBQ"
)

func vectorDomain() feedv1.TrustDomain {
	return feedv1.TrustDomain{
		Key: feedv1.Key{Namespace: "agents", Name: "corp"}, Audience: "trust-domain.example", Algorithms: []string{"EdDSA"},
		MaxLifetime: 15 * time.Minute, MaxTxn: time.Hour, Leeway: 5 * time.Second,
		AgentProfile: v1alpha1.AgentProfileActor, KeySet: feedv1.KeySet{JWKS: []byte(vectorJWKS)},
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw   string
		at          int64
		code, agent string
	}{
		{"TV-1", tv1, vectorFrom + 60, "", ""},
		{"TV-1 at its first second", tv1, vectorFrom, "", ""},
		{"TV-1 within the leeway before", tv1, vectorFrom - 5, "", ""},
		{"TV-1 before that", tv1, vectorFrom - 6, "token_not_yet", ""},
		{"TV-1 within the leeway after", tv1, vectorTo + 4, "", ""},
		{"TV-1 after that", tv1, vectorTo + 5, "token_expired", ""},
		{"TV-2", tv2, vectorFrom + 60, "", "agent-identity-1"},
		{"TV-3", tv3, vectorFrom + 60, "token_bad_type", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, vectorDomain())
			c, leeway, code := v.Verify(t.Context(), time.Unix(tt.at, 0), tt.raw, listener(vectorDomain()), Peer{})
			if code != tt.code {
				t.Fatalf("code is %q, want %q", code, tt.code)
			}
			if code != "" {
				if c != nil {
					t.Fatalf("claims come with a refusal: %+v", c)
				}
				return
			}
			if c.Subject != "d084sdrt234fsaw34tr23t" || c.Txn != "97053963-771d-49cc-a4e3-20aad399c312" || c.Agent != tt.agent ||
				c.Requester != "apigateway.trust-domain.example" || !c.HasScope("trade.stocks") || c.Context["ticker"] != "MSFT" {
				t.Errorf("claims: %+v", c)
			}
			if leeway != 5*time.Second || c.ExpiresAt.Unix() != vectorTo || c.KeyID != "tv-1" || c.Domain != vectorDomain().Key {
				t.Errorf("leeway %s, expires %d, key %q, domain %s", leeway, c.ExpiresAt.Unix(), c.KeyID, c.Domain)
			}
		})
	}
}

func verifier(t testing.TB, domains ...feedv1.TrustDomain) *Verifier {
	t.Helper()
	v, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Apply(domains); err != nil {
		t.Fatal(err)
	}
	return v
}

func listener(domains ...feedv1.TrustDomain) *feedv1.Listener {
	l := &feedv1.Listener{Name: "agents"}
	for _, d := range domains {
		l.TrustDomains = append(l.TrustDomains, d.Key)
	}
	return l
}
