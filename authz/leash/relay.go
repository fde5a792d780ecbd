package leash

import (
	"cmp"
	"strings"
	"sync"
	"time"

	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/hopgate/hopgate/authz/leash/word"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Last is what a client is told at the end of a stream that is ended early.
type Last struct {
	// Event and Data are for a stream of events; Event empty: a message.
	Event string
	Data  []byte
	// Text is for the close frame of a WebSocket, Close its status; 0:
	// PolicyViolation.
	Text  string
	Close uint16
}

// gap follows an answer's bytes to know where a word can be put in.
type gap interface {
	Pass([]byte)
	Free() bool
	// Next is how many bytes must pass until it is free; -1: more.
	Next([]byte) int
}

// wordGrace is how long a stream may take to come to a place where a word can
// stand; then it is cut without.
const wordGrace = 250 * time.Millisecond

// relay is a hold that carries the answer's body. Envoy knows no timeout for
// what it sends: nothing here waits but for Envoy itself. Trailers that nobody
// asked for, or an orderly end of the side stream, would let the hop go on
// without a hold, and neither is ever sent.
type relay struct {
	side     *side
	register *Register
	words    Words
	// killed is closed when the hop is to be broken off at once.
	killed chan struct{}
	once   sync.Once

	mu  sync.Mutex
	hop *Hop // guarded by mu
	// answered is true once the answer's headers were let pass, flows once a
	// piece of its body has come: until then Envoy takes none of ours, and
	// breaks off the hop of who sends one.
	answered bool              // guarded by mu
	flows    bool              // guarded by mu
	gap      gap               // guarded by mu; nil: no word can be put in
	say      func(Last) []byte // guarded by mu; how, where there is a gap
	ending   *Cut              // guarded by mu; the cut that waits for its place
	warning  *Last             // guarded by mu; waits for its place
	timer    *time.Timer       // guarded by mu
	kill     *time.Timer       // guarded by mu; breaks off what cannot be sent
	ahead    *time.Timer       // guarded by mu; warns of the end
	over     bool              // guarded by mu; nothing more is sent
}

func newRelay(s *side, r *Register, w Words) *relay {
	return &relay{side: s, register: r, words: w, killed: make(chan struct{})}
}

// run passes on what Envoy sends, until it closes or the relay is killed. What
// is sent may wait for a client that does not read; the hop is not to live on
// for that.
func (r *relay) run() error {
	done := make(chan error, 1)
	go func() { done <- r.pass() }()
	select {
	case err := <-done:
		return err
	case <-r.killed:
		// An error breaks the hop off (an orderly end would let it go on), and
		// ends what the other goroutine waits for.
		return status.Error(codes.PermissionDenied, wire.DetailRevoked)
	}
}

func (r *relay) pass() error {
	defer r.stop()
	var m said
	defer m.free()
	for {
		if err := r.side.stream.RecvMsg(&m); err != nil {
			return errClosed(err)
		}
		if err := r.message(&m); err != nil {
			return errClosed(err)
		}
		m.free() // a stream that is silent keeps nothing
	}
}

func (r *relay) message(m *said) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil
	}
	switch m.kind {
	case kindResponseHeaders:
		return r.headers(m)
	case kindResponseBody:
		return r.body(m)
	case kindResponseTrailers:
		return r.side.send(r.side.phrases.trailers)
	default:
		return nil
	}
}

// headers says what kind of answer this is: what a word looks like in it.
func (r *relay) headers(m *said) error {
	r.answered = true
	code, kind, encoding := string(m.status), string(m.contentType), string(m.contentEncoding)
	switch {
	case r.hop.Upgrade && (code == "101" || code == "200"):
		r.gap, r.say = &word.Frames{}, func(l Last) []byte { return word.Close(cmp.Or(l.Close, word.PolicyViolation), l.Text) }
	case isEvents(kind) && plain(encoding):
		r.gap, r.say = &word.Events{}, func(l Last) []byte { return word.Event(l.Event, l.Data) }
	}
	return r.side.send(r.side.phrases.headers)
}

func isEvents(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

// plain reports whether a body is not encoded: in any other no word of ours
// would be read.
func plain(encoding string) bool { return encoding == "" || strings.EqualFold(encoding, "identity") }

// body passes a piece of the answer on, and puts in what waits for its place.
func (r *relay) body(m *said) error {
	b := m.body
	r.flows = true
	if r.ending != nil && r.gap != nil && !m.end {
		if n := r.gap.Next(b); n >= 0 {
			r.last(b[:n], *r.ending)
			return nil
		}
	}
	if r.gap != nil {
		r.gap.Pass(b)
	}
	if m.end {
		r.finish()
	}
	if err := r.side.send(passOn(m)); err != nil {
		return err
	}
	return r.warn()
}

// warn says what waits to be said in a stream that goes on.
func (r *relay) warn() error {
	if r.warning == nil || r.over || r.ending != nil || !r.flows || r.gap == nil || !r.gap.Free() {
		return nil
	}
	b := r.say(*r.warning)
	r.warning = nil
	r.gap.Pass(b)
	return r.side.send(bodyOn(b, false))
}

// Warn tells the client something ahead of an end that is known, where its
// protocol has a place for it.
func (r *relay) Warn(l Last) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, socket := r.gap.(*word.Frames); socket || len(l.Data) == 0 {
		return
	}
	r.warning = &l
	_ = r.warn() // an error means that Envoy has gone, and the hop with it
}

// warnBefore is how long before its end a hop is told of it.
const warnBefore = 30 * time.Second

// warnAhead has a hop told of its end that will live long enough; mu is held.
// An end that can be moved is looked at again when it has come.
func (r *relay) warnAhead() {
	if r.hop.Until.IsZero() || r.over {
		return
	}
	until, last := r.register.Until(r.hop.ID)
	left := until.Sub(r.register.cfg.Now())
	switch {
	case left > 2*warnBefore:
		r.ahead = time.AfterFunc(left-warnBefore, func() { r.warnOf(until) })
	case until.Before(last) && left > 0:
		r.ahead = time.AfterFunc(left, r.again)
	}
}

// warnOf says that the hop ends at until, unless that was moved.
func (r *relay) warnOf(until time.Time) {
	if now, _ := r.register.Until(r.hop.ID); now.Equal(until) {
		r.Warn(r.words.Warn(r.hop))
	}
	r.again()
}

func (r *relay) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnAhead()
}

// cut ends the hop: with a word where there is a place for one, or with an
// answer where there has been none, or else by a reset. It does not wait; what
// cannot be sent in time, because the client does not read, is broken off.
func (r *relay) cut(c Cut) {
	kill := time.AfterFunc(2*wordGrace, func() { r.once.Do(func() { close(r.killed) }) })
	go func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.kill = kill
		if r.over {
			kill.Stop()
		}
		r.cutLocked(c)
	}()
}

func (r *relay) cutLocked(c Cut) {
	switch {
	case r.over || r.ending != nil:
	case !r.answered || r.gap == nil:
		r.reset(c)
	case r.flows && r.gap.Free():
		r.last(nil, c)
	default:
		r.ending = &c
		r.timer = time.AfterFunc(wordGrace, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.over {
				r.reset(c)
			}
		})
	}
}

// last sends the rest of what was begun, the word, and the end.
func (r *relay) last(rest []byte, c Cut) {
	b := append(append([]byte(nil), rest...), r.say(r.words.Last(r.hop, c.Code))...)
	r.finish()
	m := bodyOn(b, true)
	m.DynamicMetadata = endMetadata(c.Detail)
	r.side.end(m)
	r.spare()
}

// reset answers a hop that has had no answer, and breaks off any other.
func (r *relay) reset(c Cut) {
	r.finish()
	r.side.end(immediate(r.words.Words(r.hop, c.Code), c.Detail))
	r.spare()
}

// spare is for a hop whose end has been sent.
func (r *relay) spare() {
	if r.kill != nil {
		r.kill.Stop()
	}
}

func (r *relay) finish() {
	r.over = true
	if r.ahead != nil {
		r.ahead.Stop()
	}
	if r.timer != nil {
		r.timer.Stop()
	}
}

func (r *relay) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.gap.(*word.Frames); ok && f.Closed() {
		r.hop.goodbye.Store(true)
	}
	r.finish()
	r.spare()
}

// bodyOn is a piece of our own.
func bodyOn(b []byte, end bool) *procv3.ProcessingResponse {
	return &procv3.ProcessingResponse{Response: &procv3.ProcessingResponse_ResponseBody{ResponseBody: &procv3.BodyResponse{
		Response: &procv3.CommonResponse{BodyMutation: &procv3.BodyMutation{Mutation: &procv3.BodyMutation_StreamedResponse{
			StreamedResponse: &procv3.StreamedBodyResponse{Body: b, EndOfStream: end},
		}}},
	}}}
}

// endMetadata says in Envoy's log what its response code details do not: an
// end by a word is logged as an ordinary one.
func endMetadata(detail string) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		wire.EndNamespace: structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			wire.MetaEnd: structpb.NewStringValue(detail),
		}}),
	}}
}
