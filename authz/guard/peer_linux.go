package guard

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// peerPID is the process that connected, by the kernel's word. It must run as
// the same user.
func peerPID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("look at the peer: %w", err)
	}
	var cred *unix.Ucred
	var got error
	err = raw.Control(func(fd uintptr) { cred, got = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || got != nil {
		return 0, fmt.Errorf("look at the peer: %w", errOr(err, got))
	}
	if int(cred.Uid) != os.Geteuid() {
		return int(cred.Pid), fmt.Errorf("user %d is not ours", cred.Uid)
	}
	return int(cred.Pid), nil
}

func errOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
