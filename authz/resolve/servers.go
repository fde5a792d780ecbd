package resolve

import (
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	// reread is how old the system's list may be.
	reread = 5 * time.Second
	// maxServers bounds the system's list, as the C library does.
	maxServers = 3
	// maxFile bounds what is read of its file.
	maxFile = 64 << 10
)

// servers are whom a source asks.
type servers struct {
	// fixed are those of the configuration; none: those of file.
	fixed []netip.AddrPort
	file  string
	now   func() time.Time
	good  atomic.Int32 // place of the one that answered last

	mu     sync.Mutex // guards what follows
	system []netip.AddrPort
	read   time.Time
}

// list is never empty.
func (s *servers) list() []netip.AddrPort {
	if len(s.fixed) > 0 {
		return s.fixed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.system == nil || now.Sub(s.read) >= reread || now.Before(s.read) {
		s.system, s.read = systemServers(s.file), now
	}
	return s.system
}

func (s *servers) preferred() int { return int(s.good.Load()) }
func (s *servers) prefer(i int)   { s.good.Store(int32(i)) }

// systemServers reads resolv.conf(5): its servers alone, never its search
// list. None that can be read: the one on this machine, as the page says.
func systemServers(file string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, text := range nameservers(file) {
		a, err := netip.ParseAddr(text)
		if err == nil && len(out) < maxServers {
			out = append(out, netip.AddrPortFrom(a, 53))
		}
	}
	if len(out) == 0 {
		return []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53)}
	}
	return out
}

func nameservers(file string) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	c, err := dns.ClientConfigFromReader(io.LimitReader(f, maxFile))
	if err != nil {
		return nil
	}
	return c.Servers
}
