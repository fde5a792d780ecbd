package clients

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideEnv says that this process is in a network of its own.
const insideEnv = "HOPGATE_CLIENTS_NETWORK"

// ownNetwork runs the test again in a network namespace that has loopback
// alone, and reports whether this is that run. There the ports are those of
// the page, whatever else the machine does, and no client gets anywhere but
// through the gateway. Where that is not permitted the test is skipped, loudly,
// unless HOPGATE_REQUIRE_NETNS is set: then it fails.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		if err := loopbackUp(); err != nil {
			t.Fatalf("bring loopback up: %v", err)
		}
		return true
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v=true"}
	if asked := flag.Lookup("test.run").Value.String(); strings.HasPrefix(asked, t.Name()+"/") {
		args[0] = "-test.run=" + asked
	}
	if *update {
		args = append(args, "-update")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		t.Logf("in a network of its own:\n%s", out)
	case cmd.Process == nil && os.Getenv("HOPGATE_REQUIRE_NETNS") == "":
		t.Skipf("NO CLIENT IS TRIED: no network namespace can be made: %v", err)
	default:
		t.Fatalf("in a network of its own: %v\n%s", err, out)
	}
	return false
}

// loopbackUp asks the kernel for it (rtnetlink(7)), and waits for its word.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	m := binary.NativeEndian.AppendUint32(nil, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	m = binary.NativeEndian.AppendUint16(m, unix.RTM_NEWLINK)
	m = binary.NativeEndian.AppendUint16(m, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	m = append(m, make([]byte, 12)...)                   // sequence, port; family, type
	m = binary.NativeEndian.AppendUint32(m, 1)           // index: lo
	m = binary.NativeEndian.AppendUint32(m, unix.IFF_UP) // flags
	m = binary.NativeEndian.AppendUint32(m, unix.IFF_UP) // which of them change
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("read the answer: %d bytes, %w", n, err)
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}
