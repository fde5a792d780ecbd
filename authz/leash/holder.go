package leash

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	procfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Words says why a hop is ended in the words of its protocol.
type Words interface {
	// Words says it to a hop that has had no answer yet.
	Words(h *Hop, code string) Reply
	// Last says it at the end of an answer that is flowing.
	Last(h *Hop, code string) Last
	// Warn says ahead that the hop will end by itself; no data: its protocol
	// has no place for that.
	Warn(h *Hop) Last
}

// Reply is an HTTP answer.
type Reply struct {
	Status  int
	Headers [][2]string
	Body    []byte
}

// Judge decides a hop again when its hold opens: the feed may have changed
// since Check. It returns the name of a denial code, or nothing.
type Judge interface {
	Again(h *Hop) (code string)
}

// Holder serves the side streams by which Envoy holds hops.
type Holder struct {
	register *Register
	judge    Judge
	words    Words
	log      *slog.Logger
	phrases  *phrases

	mu sync.Mutex
	// unsaid are the refusals since told, the last that was logged; guarded by mu.
	unsaid int
	told   time.Time
}

// refusalEvery is how often at most a refused hold is logged: anybody who
// finds a way to have one refused could fill the log.
const refusalEvery = time.Second

// NewHolder makes the service.
func NewHolder(r *Register, j Judge, w Words, log *slog.Logger) *Holder {
	return &Holder{register: r, judge: j, words: w, log: log, phrases: newPhrases()}
}

// Register adds the service to a server whose codec knows rawproto's messages.
func (h *Holder) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: procv3.ExternalProcessor_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "Process", ServerStreams: true, ClientStreams: true,
			Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*Holder).Process(stream) },
		}},
		Metadata: procv3.ExternalProcessor_ServiceDesc.Metadata,
	}, h)
}

// side is one side stream. After it has ended the hop nothing more is sent.
type side struct {
	stream  grpc.ServerStream
	phrases *phrases
	mu      sync.Mutex
	ended   bool // guarded by mu
}

// send sends a ProcessingResponse: one that was made already, or one to be
// encoded.
func (s *side) send(m any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	return s.stream.SendMsg(m)
}

// end sends the last message.
func (s *side) end(m *procv3.ProcessingResponse) {
	s.mu.Lock()
	s.endLocked(m)
}

// endSoon is end for who has others to end: where something is being sent just
// now it does not wait for that.
func (s *side) endSoon(m *procv3.ProcessingResponse) {
	if !s.mu.TryLock() {
		go s.end(m)
		return
	}
	s.endLocked(m)
}

// endLocked unlocks mu.
func (s *side) endLocked(m *procv3.ProcessingResponse) {
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	// An error means that Envoy has gone, and the hop with it.
	_ = s.stream.SendMsg(m)
}

// close ends what can be sent: a cut that comes as the hold ends says nothing
// more, and one that is being said is said to the end.
func (s *side) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// Process is the life of one hold. It never returns nil while its hop lives:
// Envoy takes an orderly end for leave to go on without a hold.
func (h *Holder) Process(stream grpc.ServerStream) error {
	s := &side{stream: stream, phrases: h.phrases}
	id, way, err := h.opening(stream)
	if err != nil {
		return h.refuseOr(s, err)
	}
	if way == wayMeter {
		return h.meter(s, id)
	}
	relayed := way == wayRelay
	hop, r := h.open(s, id, relayed)
	if hop == nil {
		return h.refuse(s, nil, "unknown or used hop id, or another kind of hold than was ordered")
	}
	defer h.register.Closed(id)
	if code := h.judge.Again(hop); code != "" {
		if r != nil {
			defer r.stop()
		}
		h.register.Refuse(id, code)
		s.end(immediate(h.words.Words(hop, code), wire.DetailRefused))
		return drain(stream)
	}
	if err := s.send(s.phrases.goOn(hop)); err != nil {
		return errClosed(err)
	}
	if relayed {
		return r.run()
	}
	return h.hold(s, hop)
}

// badOpening is a first message that opens no hold.
type badOpening struct{ error }

// opening reads the first message.
func (h *Holder) opening(stream grpc.ServerStream) (id ID, w way, err error) {
	var first said
	defer first.free()
	if err := stream.RecvMsg(&first); err != nil {
		return ID{}, wayLeash, err
	}
	if id, w, err = hopOf(&first); err != nil {
		return ID{}, wayLeash, badOpening{err}
	}
	return id, w, nil
}

// refuseOr refuses what was said, where something was.
func (h *Holder) refuseOr(s *side, err error) error {
	if bad, ok := errors.AsType[badOpening](err); ok {
		return h.refuse(s, nil, bad.Error())
	}
	return errClosed(err)
}

// open gives a hop its hold. The relay is nil where none was ordered.
func (h *Holder) open(s *side, id ID, relayed bool) (*Hop, *relay) {
	if !relayed {
		hop, _ := h.register.Open(id, false, func(c Cut) { h.cut(s, id, c) })
		return hop, nil
	}
	r := newRelay(s, h.register, h.words)
	// A cut may come before the hop is known here; it waits.
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hop, _ = h.register.Open(id, true, r.cut)
	if r.hop != nil {
		r.warnAhead()
	}
	return r.hop, r
}

// hold waits for the end. The only thing Envoy still says is that trailers
// have come, which it wants an answer to.
func (h *Holder) hold(s *side, hop *Hop) error {
	defer s.close()
	var m said
	for {
		if err := s.stream.RecvMsg(&m); err != nil {
			return errClosed(err)
		}
		about, says := m.kind, s.phrases.trailers
		if about == kindResponseHeaders && hop.Heard != nil {
			hop.Heard(m.answer())
			about, says = kindResponseTrailers, s.phrases.headers
		}
		m.free()
		if about != kindResponseTrailers {
			h.log.Warn("unexpected message on a hold", "kind", about.String())
			continue
		}
		if err := s.send(says); err != nil {
			return errClosed(err)
		}
	}
}

// cut ends a hop that is flowing, or answers one that has had no answer yet. It
// does not wait: a hold that carries no body always has room for one message.
func (h *Holder) cut(s *side, id ID, c Cut) {
	reply := Reply{Status: 403}
	if hop, ok := h.register.find(id); ok {
		reply = h.words.Words(hop, c.Code)
	}
	s.endSoon(immediate(reply, c.Detail))
}

// refuse ends a request that has no hop. The reason goes to the log: whoever
// sends such a thing is not told why.
func (h *Holder) refuse(s *side, hop *Hop, why string) error {
	h.logRefusal(why)
	s.end(immediate(h.words.Words(hop, "hop_unknown"), wire.DetailRefused))
	return drain(s.stream)
}

// logRefusal logs one refusal of many.
func (h *Holder) logRefusal(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.register.cfg.Now()
	if !h.told.IsZero() && now.Sub(h.told) < refusalEvery {
		h.unsaid++
		return
	}
	h.log.Warn("hold refused", "reason", why, "unsaid", h.unsaid)
	h.told, h.unsaid = now, 0
}

// drain reads until Envoy closes, so that what was sent is delivered.
func drain(stream grpc.ServerStream) error {
	var m said
	for {
		if err := stream.RecvMsg(&m); err != nil {
			return errClosed(err)
		}
		m.free()
	}
}

// errClosed is what a side stream ends with. Envoy closed it, or is gone.
func errClosed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return nil
	}
	return err
}

// way is what a side stream carries.
type way uint8

const (
	wayLeash way = iota // no body
	wayRelay            // the answer's
	wayMeter            // the request's; it holds nothing
)

// hopOf reads the hop id that Check put into dynamic metadata, which no
// client can write, and which body comes with the side stream.
func hopOf(m *said) (id ID, w way, err error) {
	const none, streamed = procfilterv3.ProcessingMode_NONE, procfilterv3.ProcessingMode_FULL_DUPLEX_STREAMED
	if m.kind != kindRequestHeaders {
		return ID{}, wayLeash, errors.New("a hold must open with the request's headers")
	}
	switch {
	case m.mode == none && m.requestMode == none:
	case m.mode == streamed && m.requestMode == none:
		w = wayRelay
	case m.mode == none && m.requestMode == streamed:
		w = wayMeter
	default:
		return ID{}, wayLeash, errors.New("a hold carries bodies in modes that were not ordered: " + m.requestMode.String() + ", " + m.mode.String())
	}
	id, err = ParseID(string(m.hop))
	return id, w, err
}

// immediate ends a hop by an answer, or breaks off the one that flows.
func immediate(r Reply, detail string) *procv3.ProcessingResponse {
	set := &procv3.HeaderMutation{}
	for _, kv := range r.Headers {
		set.SetHeaders = append(set.SetHeaders, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: kv[0], RawValue: []byte(kv[1])},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return &procv3.ProcessingResponse{Response: &procv3.ProcessingResponse_ImmediateResponse{
		ImmediateResponse: &procv3.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(r.Status)},
			Headers: set,
			Body:    r.Body,
			Details: detail,
		},
	}}
}
