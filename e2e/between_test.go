package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/internal/testenv"
)

// between is what became of a hop that stood still.
type between struct {
	answer
	// seen is how many requests the backend saw after it was decided.
	seen int
	// end is its record.
	end audit.Record
}

// stopped has Envoy stand still between the answer of Check and the opening of
// the hold: the hop is in the register and does not live. What is done
// meanwhile is done then.
func stopped(t *testing.T, m *matrix, id, token string, meanwhile func()) between {
	t.Helper()
	pid, live, streams := m.Envoy().PID(), m.Guard().Live(), len(m.Guard().Streams())
	for tries := 1; tries < 1000; tries++ {
		answered, leave := asked(t, m, token)
		for deadline := time.Now().Add(patience); m.Guard().Live() == live; {
			if time.Now().After(deadline) {
				t.Fatal("the request does not come")
			}
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		testenv.Wait(t, "Envoy to stand still", func() bool { return standsStill(pid) })
		caught, before := m.stays(streams, live+1), len(m.stage.site.requests())
		if caught {
			meanwhile()
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if !caught {
			leave()
			<-answered
			testenv.Wait(t, "the hop to end", func() bool { return m.Guard().Live() == live })
			continue
		}
		b := between{answer: <-answered}
		testenv.Wait(t, "the record of its end", func() bool {
			ends := m.endsNow(t, id)
			if len(ends) == tries {
				b.end = ends[tries-1].Record
			}
			return len(ends) == tries
		})
		b.seen = len(m.stage.site.requests()) - before
		t.Logf("%s: try %d, %d, recorded as %s (%s)", id, tries, b.status, b.end.End, b.end.Detail)
		return b
	}
	t.Fatal("Envoy was never stopped in time")
	return between{}
}

// settled is longer than what was sent takes to be read.
const settled = 100 * time.Millisecond

// stays reports whether so many hops live, and so many are in the register,
// also after what is on its way has come.
func (m *matrix) stays(live, all int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), settled)
	defer cancel()
	ok := true
	tick(ctx, tickEvery, func() error {
		ok = ok && len(m.Guard().Streams()) == live && m.Guard().Live() == all
		return nil
	})
	return ok
}

// asked asks for an answer that does not come by itself.
func asked(t *testing.T, m *matrix, token string) (<-chan answer, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, c := request(t, "GET", m.URL("/page/poll"), token, "").WithContext(ctx), newClient(t)
	out := make(chan answer, 1)
	go func() {
		res, err := c.Do(r)
		if err != nil {
			out <- answer{body: err.Error()}
			return
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			b = []byte(err.Error())
		}
		out <- answer{status: res.StatusCode, body: string(b)}
	}()
	return out, cancel
}

// standsStill reports whether a process is stopped, with all of its threads.
func standsStill(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		raw, lost := os.ReadFile(path)
		_, after, _ := strings.Cut(string(raw), ") ")
		if lost != nil || !strings.HasPrefix(after, "T") {
			return false
		}
	}
	return err == nil && len(threads) > 0
}

// TestNothingIsLostBetween: what happens between the answer of Check and the
// opening of the hold counts, and the backend never sees the request.
func TestNothingIsLostBetween(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	for _, tc := range []struct {
		name, agent string
		do          func()
		code        string
	}{
		{"revoked", "worker", func() {
			order(t, m, admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: "revoked"})
		}, "revoked"},
		{"quarantined", "coder", func() {
			order(t, m, admin.Ask{Verb: contain.VerbQuarantine, Kind: contain.KindAgent, Value: "coder-planner-between"})
		}, "quarantined"},
		{"denied by a policy", "fallen", func() {
			lived := len(m.Guard().Streams())
			denyAgent(t, m, "between", nil)
			testenv.Wait(t, "the policy to count", func() bool { return len(m.Guard().Streams()) < lived })
		}, "rule_denied"},
	} {
		witness := body(t, newClient(t), request(t, "GET", m.URL("/page/long"), by(tc.agent)(m, "between", "witness"), ""))
		end := begin(witness)
		testenv.Wait(t, "a stream to live", func() bool { return len(m.Guard().Streams()) == 1 })
		b := stopped(t, m, tc.name, by(tc.agent)(m, "between", tc.name), tc.do)
		// Envoy may find that it has waited for too long before it reads what
		// it was answered.
		if late := b.status == http.StatusServiceUnavailable || b.status == http.StatusGatewayTimeout; !late && (b.code() != tc.code || b.end.End != audit.EndRefused) {
			t.Errorf("%s: %d %s, recorded as %q (%s)", tc.name, b.status, b.body, b.end.End, b.end.Detail)
		}
		if b.seen != 0 {
			t.Errorf("%s: the backend saw the request", tc.name)
		}
		m.Guard().EndAll()
		<-end
		testenv.Wait(t, "the register to be empty", func() bool { return m.Guard().Live() == 0 })
	}
}

// TestAHoldThatNeverOpens: a hop that Envoy was let pass and does not hold is
// recorded so, and when Envoy comes for its hold there is none.
func TestAHoldThatNeverOpens(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	b := stopped(t, m, "unheld", by("worker")(m, "between", "unheld"), func() {
		testenv.Wait(t, "the hop to be given up", func() bool { return m.Guard().Live() == 0 })
	})
	if b.status < 400 || b.seen != 0 {
		t.Errorf("it passed: %d %s", b.status, b.body)
	}
	if b.end.End != audit.EndHoldMissing {
		t.Errorf("it is recorded as %q (%s)", b.end.End, b.end.Detail)
	}
}
