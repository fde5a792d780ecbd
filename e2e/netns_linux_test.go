package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideEnv says that this process is in a network namespace of its own.
const insideEnv = "HOPGATE_E2E_INTERNET"

// ownInternet runs the test again in a network namespace in which every
// address there is answers on loopback, and reports whether this is that run.
// Where that is not permitted the test is skipped, loudly, unless
// HOPGATE_REQUIRE_NETNS is set: then it fails.
func ownInternet(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		everyAddress(t)
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v=true")
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
		t.Logf("in a namespace of its own:\n%s", out)
	case cmd.Process == nil && os.Getenv("HOPGATE_REQUIRE_NETNS") == "":
		t.Skipf("no network namespace can be made, so that nothing stands for the Internet: %v", err)
	default:
		t.Fatalf("in a namespace of its own: %v\n%s", err, out)
	}
	return false
}

// everyAddress brings loopback up and makes every address local.
func everyAddress(t *testing.T) {
	t.Helper()
	link := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(link[4:], 1) // index: lo
	binary.NativeEndian.PutUint32(link[8:], unix.IFF_UP)
	binary.NativeEndian.PutUint32(link[12:], unix.IFF_UP)
	if err := netlink(unix.RTM_NEWLINK, 0, link); err != nil {
		t.Fatalf("bring loopback up: %v", err)
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		route := []byte{family, 0, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_BOOT, unix.RT_SCOPE_HOST, unix.RTN_LOCAL, 0, 0, 0, 0}
		if family == unix.AF_INET6 {
			route[6] = unix.RT_SCOPE_UNIVERSE
		}
		route = binary.NativeEndian.AppendUint16(route, unix.SizeofRtAttr+4)
		route = binary.NativeEndian.AppendUint16(route, unix.RTA_OIF)
		route = binary.NativeEndian.AppendUint32(route, 1)
		if err := netlink(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, route); err != nil {
			t.Fatalf("make every address local: %v", err)
		}
	}
}

// netlink sends one message and waits for the kernel's word (rtnetlink(7)).
func netlink(kind, flags uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	m := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	m = append(m, 1, 0, 0, 0, 0, 0, 0, 0)
	if err := unix.Sendto(fd, append(m, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
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
