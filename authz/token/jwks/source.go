package jwks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Source is where one trust domain's keys come from.
type Source struct {
	key  feedv1.Key
	spec feedv1.KeySet
	// loader is nil for a set that came with the feed.
	loader loader
	pace   pace
	cfg    *Config

	view atomic.Pointer[View] // never nil

	// loading is held by the one attempt that is under way.
	loading sync.Mutex

	demand
	stop context.CancelFunc
}

// newSource reads what can be read at once; a URL waits for its first attempt.
func newSource(key feedv1.Key, spec feedv1.KeySet, cfg *Config) *Source {
	s := &Source{key: key, spec: spec, cfg: cfg, demand: newDemand(cfg.Now)}
	s.view.Store(&View{})
	if err := s.open(); err != nil {
		s.fail(err)
		return s
	}
	s.floor = s.pace.floor
	switch {
	case s.loader == nil:
		s.accept(document{raw: spec.JWKS})
	case spec.File != "":
		s.attempt(context.Background())
	}
	return s
}

// open finds the one place that the keys come from.
func (s *Source) open() error {
	inline, remote, local := len(s.spec.JWKS) > 0, s.spec.URL != "", s.spec.File != ""
	switch {
	case inline && remote || inline && local || remote && local:
		return errors.New("it names more than one place for its keys")
	case remote:
		r, err := newRemote(s.spec.URL, s.cfg.Transport)
		if err != nil {
			return err
		}
		s.loader, s.pace = r, pace{every: s.cfg.Refresh, floor: s.cfg.Floor, jitter: true}
	case local:
		s.loader, s.pace = file{s.spec.File}, pace{every: s.cfg.FileEvery, floor: s.cfg.FileEvery}
	case !inline:
		return errors.New("it names no place for its keys")
	}
	return nil
}

// View is what the source holds now. It never waits.
func (s *Source) View() *View { return s.view.Load() }

// attempt loads once.
func (s *Source) attempt(ctx context.Context) {
	s.loading.Lock()
	defer s.loading.Unlock()
	s.begin()
	defer s.end()
	bounded, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	doc, err := s.loader.load(bounded, s.View().validators)
	switch {
	case err == nil:
		s.accept(doc)
	case ctx.Err() == nil: // else nobody wants to know any more: nothing is wrong with the source
		s.fail(err)
	}
}

// fail keeps the last good set, and how long it is good.
func (s *Source) fail(err error) {
	old := *s.View()
	if old.Err == nil || old.Err.Error() != err.Error() {
		s.cfg.Log.Warn("key set", "trust_domain", s.key.String(), "problem", err)
	}
	old.Err = err
	old.failures++
	s.view.Store(&old)
}

// accept takes a document over, unless it is no key set.
func (s *Source) accept(doc document) {
	old := s.View()
	next := &View{
		Set: old.Set, Generation: old.Generation, Loaded: s.cfg.Now(), digest: old.digest, validators: doc.validators,
	}
	if s.loader != nil {
		next.Until = next.Loaded.Add(s.pace.slack(s.cfg.Timeout) + s.spec.MaxStale)
	}
	digest := sha256.Sum256(doc.raw)
	if doc.raw != nil && digest != old.digest {
		set, err := Parse(doc.raw)
		if err != nil {
			s.fail(err)
			return
		}
		next.Set, next.digest = set, digest
		if old.Set != nil && !set.keeps(old.Set) {
			next.Generation++
		}
		s.changed()
		s.cfg.Log.Info("key set", "trust_domain", s.key.String(), "keys", len(set.keys), "problems", set.problems)
	}
	s.view.Store(next)
}

// run loads until ctx ends: at once if nothing is loaded, then at the source's
// pace, and when somebody asks.
func (s *Source) run(ctx context.Context) {
	s.serve(true)
	defer s.serve(false)
	t := time.NewTimer(s.pace.first(s.View()))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-s.wake:
		}
		s.attempt(ctx)
		t.Reset(s.pace.next(s.View().failures, s.cfg.Rand))
	}
}

// Ask wants the source to be loaded again because it has no key of that kid,
// and waits for that. It reports whether it was worth waiting: false means
// that nothing new can be known now, be it that somebody has just asked, that
// too many wait, or that ctx ended. A storm of unknown kids makes one attempt
// in each floor.
func (s *Source) Ask(ctx context.Context, kid string) bool {
	if s.loader == nil || !s.wait(ctx, kid) {
		return false
	}
	// Without a set, the attempt did not come to its end: Run has ended.
	if v := s.View(); v.Err == nil && v.Set != nil && v.Set.Find(kid) == nil {
		s.miss(kid)
	}
	return true
}

// MayAsk reports whether Ask would wait for an attempt.
func (s *Source) MayAsk(kid string) bool {
	return s.loader != nil && s.may(kid)
}

// Status is the state of a source, for readiness and for people.
type Status struct {
	Key feedv1.Key
	// Ready is true when tokens can be verified now.
	Ready bool
	// KeyIDs are sorted.
	KeyIDs []string
	Loaded time.Time
	// Err is what went wrong with the last attempt, or why nothing is ready.
	Err error
	// Problems are about single keys.
	Problems []string
}

// Status looks at the source.
func (s *Source) Status(now time.Time) Status {
	v := s.View()
	out := Status{Key: s.key, Ready: v.Usable(now), Loaded: v.Loaded, Err: v.Err}
	if v.Set != nil {
		out.KeyIDs, out.Problems = v.Set.IDs(), v.Set.Problems()
	}
	switch {
	case out.Ready || out.Err != nil:
	case v.Set == nil:
		out.Err = fmt.Errorf("key set of %s is not loaded yet", s.key)
	default:
		out.Err = fmt.Errorf("key set of %s is too old", s.key)
	}
	return out
}
