package guard

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peerPID is the process that connected, by the kernel's word.
func peerPID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("look at the peer: %w", err)
	}
	var pid int
	var got error
	if err := raw.Control(func(fd uintptr) { pid, got = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID) }); err != nil {
		return 0, fmt.Errorf("look at the peer: %w", err)
	}
	if got != nil {
		return 0, fmt.Errorf("look at the peer: %w", got)
	}
	return pid, nil
}
