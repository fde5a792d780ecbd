package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// deadline wants a stream that nothing holds to be broken off when its life is
// over, and no sooner. flows is called when its answer has begun.
func (p *Prover) deadline(ctx context.Context, w *way, flows func()) error {
	begun := p.cfg.Now()
	res, err := p.get(ctx, w, pathDeadline)
	flows()
	if err != nil {
		return err
	}
	defer res.Body.Close()
	rest, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	lived := p.cfg.Now().Sub(begun)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("a stream with a deadline of %s was open after %s", shortLife, lived.Round(time.Millisecond))
	case lived < shortLife && res.StatusCode == http.StatusOK:
		return fmt.Errorf("a stream with a deadline of %s ended after %s", shortLife, lived)
	case res.StatusCode == http.StatusGatewayTimeout || strings.Contains(string(rest), denial.Expired):
		return nil // the answer had not begun, so that Envoy could say it
	case res.StatusCode != http.StatusOK:
		return w.refused(res, rest)
	case err == nil:
		return fmt.Errorf("a stream came to an orderly end after %s, and not to its deadline", lived)
	}
	return nil
}

// cut wants a stream that is cut to be broken off.
func (p *Prover) cut(ctx context.Context, a *attempt, w *way) error {
	res, err := p.cutStream(ctx, a, w, pathCut)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("a stream that was cut was open still after %w", context.Cause(ctx))
	case err == nil:
		return errors.New("a stream that was cut came to an orderly end")
	}
	return nil
}

// relay wants a stream that is cut to say why and to end in order.
func (p *Prover) relay(ctx context.Context, a *attempt, w *way) error {
	res, err := p.cutStream(ctx, a, w, pathRelay)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	rest, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch said := strings.Contains(string(rest), denial.TokenRevoked); {
	case ctx.Err() != nil && said:
		return fmt.Errorf("a stream that was cut said its word and was open still after %w", context.Cause(ctx))
	case ctx.Err() != nil:
		return fmt.Errorf("a stream that was cut was open still after %w", context.Cause(ctx))
	case !said && err != nil:
		return fmt.Errorf("a stream that was cut ended without its word: %w", err)
	case !said:
		return errors.New("a stream that was cut ended without its word")
	case err != nil:
		return fmt.Errorf("a stream that was cut said its word and was broken off: %w", err)
	}
	return nil
}

// cutStream begins a stream and orders its end as soon as its answer flows.
func (p *Prover) cutStream(ctx context.Context, a *attempt, w *way, path string) (*http.Response, error) {
	res, err := p.get(ctx, w, path)
	if err != nil {
		return nil, err
	}
	if err := p.orderEnd(ctx, a, w, path, res); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

func (p *Prover) orderEnd(ctx context.Context, a *attempt, w *way, path string, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		rest, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // as far as it goes
		return w.refused(res, rest)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, len(beginning))); err != nil {
		return p.late(ctx, err, "an answer that did not begin")
	}
	id, ok := a.hop(w.listener, w.mode, path)
	if !ok || !p.cfg.Cut(id, leash.Cut{Code: denial.TokenRevoked, Detail: wire.DetailRevoked}) {
		return errors.New("a stream flowed that nothing held")
	}
	return nil
}

// get asks by a way. Where a tunnel does not lead there, that is what is at
// fault.
func (p *Prover) get(ctx context.Context, w *way, path string) (*http.Response, error) {
	res, err := w.get(ctx, path)
	return res, p.lost(ctx, w, err)
}

// lost says what was seen instead of an answer, if there was none.
func (p *Prover) lost(ctx context.Context, w *way, err error) error {
	if err == nil {
		return nil
	}
	if err = p.late(ctx, err, "no answer"); w.listener == "" && ctx.Err() == nil {
		return astray{err}
	}
	return err
}

// astray is a canary that its tunnel led elsewhere, or nowhere.
type astray struct{ error }

// refused says what was answered instead of a stream.
func (w *way) refused(res *http.Response, body []byte) error {
	code := codeOf(body)
	err := errors.New(answered(res, body))
	if w.listener == "" && (code == denial.TunnelGone || code == denial.TargetMismatch) {
		return astray{err}
	}
	return err
}

// late says what was seen instead of an answer.
func (p *Prover) late(ctx context.Context, err error, what string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s within %w", what, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w", what, err)
}

// answered is an answer in few words.
func answered(res *http.Response, body []byte) string {
	said := codeOf(body)
	if said == "" {
		said = strings.Join(strings.Fields(string(body)), " ")
	}
	return fmt.Sprintf("answered %d %s", res.StatusCode, said[:min(len(said), 200)])
}

// codeOf is the code of a denial; empty: it is none.
func codeOf(body []byte) string {
	var d struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(body, &d) != nil {
		return ""
	}
	return d.Code
}
