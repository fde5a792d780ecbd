//go:build !linux

package process

import "syscall"

// childAttr keeps a terminal's signals from the child. Only Linux can promise
// that the child dies with a parent that was killed.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
