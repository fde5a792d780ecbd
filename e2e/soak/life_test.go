package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/contain"
)

// manner is how a life is to end.
type manner string

const (
	leaves       manner = "client leaves"
	serverEnds   manner = "server ends"
	serverResets manner = "server resets"
	cut          manner = "order"
	expires      manner = "token expires"
	refused      manner = "policy changes"
)

// manners are all of them, in the order of the table.
func manners() []manner { return []manner{leaves, serverEnds, serverResets, cut, expires, refused} }

// life is one stream as it is to be.
type life struct {
	kind   *kind
	manner manner
	stay   time.Duration
}

const (
	// longest is how long a stream stays that ends by its client, its server, or
	// an order.
	longest = 2 * time.Second
	// tokenLife is that of a token that is to expire under its stream.
	tokenLife = 3 * time.Second
	leeway    = time.Second
	// patience is how late an end may be; more is an end that was missed. It is
	// long: what is looked for is what never comes.
	patience = 20 * time.Second
	// early is how much before its token a stream may end: a last word comes
	// before the end, and clocks are read twice.
	early = 700 * time.Millisecond
)

func lifeOf(rnd *rand.Rand) life {
	all := kinds()
	l := life{kind: all[rnd.IntN(len(all))], stay: 20*time.Millisecond + time.Duration(rnd.Int64N(int64(longest)))}
	switch n := rnd.IntN(100); {
	case n < 30:
		l.manner = leaves
	case n < 50:
		l.manner = serverEnds
	case n < 65:
		l.manner = serverResets
	case n < 88:
		l.manner = cut
	case n < 92:
		l.manner = expires
	default:
		l.kind, l.manner = gated(), refused
	}
	return l
}

// live lives one life, and notes whether it ended as it had to.
func (s *soak) live(ctx context.Context, l life) {
	id := s.tokens.take(l.manner)
	defer s.tokens.give(id)
	ask := request{token: id.token}
	if l.manner == serverEnds || l.manner == serverResets {
		ask.header = [][2]string{{headerFor, fmt.Sprint(l.stay.Milliseconds())}, {headerThen, string(l.manner)}}
	}
	if l.manner == serverResets {
		ask.header[1][1] = thenReset
	}
	begun := time.Now()
	st, err := l.kind.open(ctx, s, ask)
	if err != nil {
		s.gateOr(l, begun, err)
		return
	}
	s.tally.opened.Add(1)
	if err := s.end(ctx, l, id, st, begun); err != nil {
		s.tally.fail(fmt.Errorf("%s, %s: %w", l.kind.name, l.manner, err))
	}
	st.leave()
	<-st.done
	s.tally.lived(l)
}

// gateOr forgives a gated stream that it did not begin where its gate was not
// open all the while, and a stream that its server ended or reset that it did
// before anything of it was seen, which is lost then. What the guard had no time
// for, to decide or to hold, is closed as it has to be; there may be few of them.
func (s *soak) gateOr(l life, begun time.Time, err error) {
	status, answered := errors.AsType[statusError](err)
	switch {
	case l.manner == refused && s.gate.moved(begun):
		s.tally.denied.Add(1)
		<-time.After(gateEvery / 10)
		return
	case l.manner == serverResets && answered && (status == http.StatusBadGateway || status == http.StatusServiceUnavailable),
		(l.manner == serverEnds || l.manner == serverResets) && errors.Is(err, errOver):
		s.tally.lived(l)
		return
	case answered && (status == http.StatusGatewayTimeout || status == http.StatusServiceUnavailable):
		s.tally.late.Add(1)
		return
	}
	s.tally.fail(fmt.Errorf("%s, %s: open: %w", l.kind.name, l.manner, err))
}

// end has a stream end in its manner.
func (s *soak) end(ctx context.Context, l life, id *identity, st *stream, begun time.Time) error {
	switch l.manner {
	case leaves:
		return st.stays(l.stay)
	case serverEnds, serverResets:
		return st.ends(l.stay + patience)
	case expires:
		return s.expire(id, st)
	case refused:
		return s.refuse(st, begun)
	default:
		if err := st.stays(l.stay); err != nil {
			return err
		}
		return s.cut(ctx, l, id, st)
	}
}

// cut orders the end of a stream, and lifts the order.
func (s *soak) cut(ctx context.Context, l life, id *identity, st *stream) error {
	verb := contain.VerbRevoke
	if l.stay%2 == 0 {
		verb = contain.VerbQuarantine
	}
	given := time.Now()
	s.tally.ordered.Add(1)
	done, err := s.admin.Order(ctx, admin.Ask{Verb: verb, Kind: contain.KindTxn, Value: id.txn, Reason: "soak"})
	if err != nil {
		id.once = true // the order may stand all the same
		return err
	}
	// How many hops it ended is not asked: of two orders at once either may have
	// ended what both concern.
	if err := st.ends(patience); err != nil {
		s.tally.missed.Add(1)
		_, lifted := s.admin.Lift(ctx, done.Order.ID)
		return errors.Join(err, lifted)
	}
	s.tally.cut(st.end().at.Sub(given), l.kind.word && !st.told(wordOf(verb)))
	_, err = s.admin.Lift(ctx, done.Order.ID)
	return err
}

// wordOf is the code by which a client is told of an order.
func wordOf(v contain.Verb) string {
	if v == contain.VerbQuarantine {
		return "quarantined"
	}
	return "revoked"
}

// expire waits for the end that comes with the token's.
func (s *soak) expire(id *identity, st *stream) error {
	end := id.expires.Add(leeway)
	if err := st.ends(time.Until(end) + patience); err != nil {
		return err
	}
	if at := st.end().at; at.Before(end.Add(-early)) {
		return fmt.Errorf("it ended %s before its token", end.Sub(at))
	}
	return nil
}

// refuse waits for the end that comes with the next policy.
func (s *soak) refuse(st *stream, begun time.Time) error {
	s.tally.ordered.Add(1)
	if err := st.ends(2*gateEvery + patience); err != nil {
		s.tally.missed.Add(1)
		return err
	}
	if !s.gate.moved(begun) {
		return fmt.Errorf("it ended by itself: %s", st.end())
	}
	return nil
}

// statusError is an answer that begins no stream.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("status %d %s", int(e), http.StatusText(int(e)))
}
