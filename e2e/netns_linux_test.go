package e2e

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/hopgate/hopgate/bench/network"
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
func everyAddress(t testing.TB) {
	t.Helper()
	if err := network.EveryAddress(); err != nil {
		t.Fatal(err)
	}
}
