package process

import "syscall"

// childAttr has the kernel kill the child when the thread that started it
// ends, whatever ended it; and keeps a terminal's signals from the child,
// which is told by us when to go.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
