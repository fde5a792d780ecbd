package token

import (
	"fmt"
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Each edge of each bound, to the second: the leeway is 5 s, a life at most
// 15 minutes.
func TestLifetimeEdges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		iat, exp int64 // from now, in seconds
		more     edit
		want     Reason
	}{
		{"expires in a second", -60, 1, nil, ""},
		{"expires now", -60, 0, nil, ""},
		{"expired for one second less than the leeway", -60, -4, nil, ""},
		{"expired for the leeway", -60, -5, nil, ReasonExpired},
		{"expired for one second more than the leeway", -60, -6, nil, ReasonExpired},
		{"issued now", 0, 300, nil, ""},
		{"issued within the leeway", 4, 300, nil, ""},
		{"issued at the leeway", 5, 300, nil, ""},
		{"issued a second behind the leeway", 6, 300, nil, ReasonNotYet},
		{"lives for a second", 0, 1, nil, ""},
		{"lives not at all", 1, 1, nil, ReasonMissingClaim},
		{"lives as long as it may", -60, 840, nil, ""},
		{"lives for one second more", -60, 841, nil, ReasonTooLong},
		{"lives for centuries", -60, 200_000_000_000, nil, ReasonTooLong},
		{"nbf past", -60, 300, set("nbf", fmt.Sprint(moment-60)), ""},
		{"nbf at the leeway", -60, 300, set("nbf", fmt.Sprint(moment+5)), ""},
		{"nbf a second behind the leeway", -60, 300, set("nbf", fmt.Sprint(moment+6)), ReasonNotYet},
		{"nbf before iat", -60, 300, set("nbf", fmt.Sprint(moment-600)), ""},
		{"nbf behind exp", -60, 300, set("nbf", fmt.Sprint(moment+600)), ReasonNotYet},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			edits := []edit{from(moment + tt.iat), until(moment + tt.exp)}
			if tt.more != nil {
				edits = append(edits, tt.more)
			}
			wants(t, corp(), ed().claims(edits...), tt.want)
		})
	}
}

// The edges lie between seconds too: a clock does not tick in whole ones.
func TestLifetimeWithinASecond(t *testing.T) {
	t.Parallel()
	d := corp()
	raw := ed().claims(from(moment-60), until(moment))
	for _, tt := range []struct {
		name string
		at   time.Duration
		code string
	}{
		{"a nanosecond before the end of the leeway", 5*time.Second - 1, ""},
		{"at the end of the leeway", 5 * time.Second, "token_expired"},
		{"a nanosecond before the leeway in front", -65*time.Second - 1, "token_not_yet"},
		{"at the leeway in front", -65 * time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, _, code := verifier(t, d).Verify(t.Context(), now().Add(tt.at), raw, listener(d), Peer{}); code != tt.code {
				t.Errorf("code is %q, want %q", code, tt.code)
			}
		})
	}
}

func TestNoLeeway(t *testing.T) {
	t.Parallel()
	strict := corp(func(d *feedv1.TrustDomain) { d.Leeway = 0 })
	wants(t, strict, ed().claims(until(moment+1)), "")
	wants(t, strict, ed().claims(until(moment)), ReasonExpired)
	wants(t, strict, ed().claims(from(moment)), "")
	wants(t, strict, ed().claims(from(moment+1)), ReasonNotYet)
}

// scene is one verifier of one domain, and what is asked of it in turn.
type scene struct {
	t testing.TB
	v *Verifier
	d feedv1.TrustDomain
}

func newScene(t testing.TB, d feedv1.TrustDomain) *scene {
	t.Helper()
	return &scene{t: t, v: verifier(t, d), d: d}
}

// at verifies a token so many seconds after the moment.
func (s *scene) at(seconds int, raw string) (*Claims, string) {
	s.t.Helper()
	c, _, code := s.v.Verify(s.t.Context(), now().Add(time.Duration(seconds)*time.Second), raw, listener(s.d), Peer{})
	return c, code
}

// until fails unless claims end so many seconds after the moment.
func (s *scene) until(c *Claims, code string, seconds int64) {
	s.t.Helper()
	if code != "" {
		s.t.Fatalf("refused: %s", code)
	}
	if got := c.ExpiresAt.Unix() - moment; got != seconds {
		s.t.Errorf("claims end at %d, want %d", got, seconds)
	}
}

func (s *scene) refused(c *Claims, code, want string) {
	s.t.Helper()
	if code != want || c != nil {
		s.t.Errorf("code is %q with claims %v, want %q", code, c, want)
	}
}

// life is a token of the transaction: issued and ending so many seconds from
// the moment.
func life(iat, exp int64, edits ...edit) string {
	return ed().claims(append([]edit{from(moment + iat), until(moment + exp)}, edits...)...)
}

// brief is a domain whose transactions last for ten minutes.
func brief() feedv1.TrustDomain {
	return corp(func(d *feedv1.TrustDomain) { d.MaxTxn = 10 * time.Minute })
}

func TestTransactionEndsOverReplacements(t *testing.T) {
	t.Parallel()
	s := newScene(t, brief())
	c, code := s.at(0, life(0, 300))
	s.until(c, code, 300)
	c, code = s.at(290, life(290, 590))
	s.until(c, code, 590)
	// This one would live until 880: its transaction ends at 600.
	third := life(580, 880)
	c, code = s.at(580, third)
	s.until(c, code, 600)
	c, code = s.at(599, third)
	s.until(c, code, 600)
	c, code = s.at(600, third)
	s.refused(c, code, "token_transaction_too_long")
	c, code = s.at(610, life(610, 910))
	s.refused(c, code, "token_transaction_too_long")
	// Another transaction begins when it begins.
	c, code = s.at(610, life(610, 910, set("txn", `"txn-2"`)))
	s.until(c, code, 910)
}

// One token alone is bounded by its transaction as well.
func TestTransactionShorterThanToken(t *testing.T) {
	t.Parallel()
	s := newScene(t, brief())
	raw := life(0, 900)
	c, code := s.at(10, raw)
	s.until(c, code, 600)
	c, code = s.at(600, raw)
	s.refused(c, code, "token_transaction_too_long")
}

// An earlier token that comes later moves the beginning, also for what was
// verified before.
func TestTransactionBeganEarlier(t *testing.T) {
	t.Parallel()
	s := newScene(t, brief())
	late, early := life(300, 1100), life(100, 900)
	c, code := s.at(310, late)
	s.until(c, code, 900)
	c, code = s.at(320, early)
	s.until(c, code, 700)
	c, code = s.at(330, late)
	s.until(c, code, 700)
	c, code = s.at(699, late)
	s.until(c, code, 700)
	c, code = s.at(700, late)
	s.refused(c, code, "token_transaction_too_long")
	// A later token moves it nowhere.
	c, code = s.at(650, life(640, 900))
	s.until(c, code, 700)
}

// What is not signed, or not believed for its times, moves nothing.
func TestTransactionIsMovedByGoodTokensAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t, brief())
	forged := stranger().token(kidded(stranger(), `"ed"`), payload(from(moment-300), until(moment+300)))
	for name, raw := range map[string]string{
		"forged": forged, "expired": life(-800, -100), "too long": life(-500, 900), "of another domain": life(-500, 300, set("aud", `"other"`)),
	} {
		if _, code := s.at(0, raw); code == "" {
			t.Errorf("%s is believed", name)
		}
	}
	c, code := s.at(0, life(0, 900))
	s.until(c, code, 600)
}

// Two domains may use one txn: each has its own transaction.
func TestTransactionsOfDomainsAreApart(t *testing.T) {
	t.Parallel()
	one, two := brief(), brief()
	two.Key.Name, two.Audience = "partner", "partner.example"
	v := verifier(t, one, two)
	for _, tt := range []struct {
		raw  string
		want int64
	}{
		{life(-400, 300), 200},
		{life(0, 900, set("aud", `"partner.example"`)), 600},
		{life(0, 900), 200},
	} {
		c, _, code := v.Verify(t.Context(), now(), tt.raw, listener(one, two), Peer{})
		if code != "" || c.ExpiresAt.Unix()-moment != tt.want {
			t.Errorf("code %q, claims %+v, want an end at %d", code, c, tt.want)
		}
	}
}

// A domain that changes knows its transactions still.
func TestTransactionOutlivesTheDomainsRules(t *testing.T) {
	t.Parallel()
	s := newScene(t, brief())
	c, code := s.at(0, life(-500, 300))
	s.until(c, code, 100)
	s.d.Leeway = time.Second
	if err := s.v.Apply([]feedv1.TrustDomain{s.d}); err != nil {
		t.Fatal(err)
	}
	c, code = s.at(0, life(0, 300))
	s.until(c, code, 100)
}

// The longest remembered is forgotten first, and only when there are many.
func TestTransactionsAreBounded(t *testing.T) {
	t.Parallel()
	s, err := newStarts()
	if err != nil {
		t.Fatal(err)
	}
	key := corp().Key
	old := s.first(key, txn, time.Unix(100, 0))
	for i := range maxStarts - 1 {
		s.first(key, fmt.Sprint(i), time.Unix(1, 0))
	}
	if s.first(key, txn, time.Unix(200, 0)) != old || old.at().Unix() != 100 {
		t.Fatal("forgotten while there was room")
	}
	for i := range maxStarts {
		s.first(key, fmt.Sprint("x", i), time.Unix(1, 0))
	}
	if got := s.first(key, txn, time.Unix(200, 0)); got == old || got.at().Unix() != 200 {
		t.Error("there is no bound")
	}
	if n := s.lru.Len(); n != maxStarts {
		t.Errorf("%d are remembered", n)
	}
}
