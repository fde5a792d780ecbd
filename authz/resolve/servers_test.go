package resolve_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hopgate/hopgate/authz/resolve"
)

func servers(list ...string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range list {
		out = append(out, netip.MustParseAddrPort(s))
	}
	return out
}

func TestSystemServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		want       []netip.AddrPort
	}{
		{"usual", "# by hand\nsearch corp.example internal\nnameserver 10.0.0.2\nnameserver 2001:db8::53\noptions ndots:5\n", servers("10.0.0.2:53", "[2001:db8::53]:53")},
		{"link-local with a zone", "nameserver fe80::1%eth0\n", servers("[fe80::1%eth0]:53")},
		{"more than three", "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n", servers("10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53")},
		{"none", "search corp.example\n", servers("127.0.0.1:53")},
		{"names and rubbish", "nameserver dns.example\nnameserver\nnameserver 1.2.3\n\x00\xff\n", servers("127.0.0.1:53")},
		{"empty", "", servers("127.0.0.1:53")},
		{"a line without end", strings.Repeat("x", 1<<20), servers("127.0.0.1:53")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "resolv.conf")
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, resolve.SystemServers(file), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := resolve.SystemServers(filepath.Join(t.TempDir(), "none")); len(got) != 1 || got[0] != servers("127.0.0.1:53")[0] {
		t.Errorf("no file: %v", got)
	}
}

// A laptop changes networks: its list is read again.
func TestSystemServersChange(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	clock := newClock()
	write("nameserver 10.0.0.1\n")
	list := resolve.SystemList(file, clock.now)
	check := func(want string) {
		t.Helper()
		if got := list(); len(got) != 1 || got[0].String() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	check("10.0.0.1:53")
	write("nameserver 10.0.0.2\n")
	clock.pass(4 * time.Second)
	check("10.0.0.1:53")
	clock.pass(time.Second)
	check("10.0.0.2:53")
	write("nameserver 10.0.0.3\n")
	clock.pass(-time.Hour)
	check("10.0.0.3:53")
}
