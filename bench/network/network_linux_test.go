package network_test

import (
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/bench/network"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNetwork: what a job opens is where every address answers, and nowhere
// else.
func TestNetwork(t *testing.T) {
	t.Parallel()
	n, err := network.New()
	if err != nil {
		t.Skipf("NOT TESTED, for want of root: %v", err)
	}
	defer n.Close()
	var l net.Listener
	if err := n.Do(func() (err error) { l, err = net.Listen("tcp", ":0"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"198.200.0.1", "2606:4700::1"} {
		at := net.JoinHostPort(address, port)
		if err := n.Do(func() error {
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at)
			if err == nil {
				err = c.Close()
			}
			return err
		}); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
		c.Close()
		t.Error("it is reached from outside")
	}
	second, err := network.New()
	if err != nil {
		t.Fatalf("a second one: %v", err)
	}
	second.Close()
}
