package process

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// PortFree reports whether an address could be listened on now.
func PortFree(a netip.AddrPort) bool {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// WaitPortFree waits until an address could be listened on, and reports
// whether that came before ctx ended.
func WaitPortFree(ctx context.Context, a netip.AddrPort, every time.Duration) bool {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			if PortFree(a) {
				return true
			}
		}
	}
}
