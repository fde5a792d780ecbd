package network

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Network is one of its own. What is to be in it is done by a thread that is.
type Network struct {
	jobs  chan func()
	ended chan struct{}
}

// New makes a Network, whose thread ends with Close.
func New() (*Network, error) {
	n := &Network{jobs: make(chan func()), ended: make(chan struct{})}
	made := make(chan error)
	go func() {
		defer close(n.ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = EveryAddress()
		}
		made <- err
		for job := range n.jobs {
			job()
		}
	}()
	if err := <-made; err != nil {
		n.Close()
		return nil, fmt.Errorf("make a network: %w", err)
	}
	return n, nil
}

// Do does it in the network: sockets that it opens on its own goroutine, and
// processes that it starts, are there.
func (n *Network) Do(what func() error) error {
	done := make(chan error)
	n.jobs <- func() { done <- what() }
	return <-done
}

// Close ends the thread. Nothing may be done any more.
func (n *Network) Close() {
	close(n.jobs)
	<-n.ended
}

// EveryAddress brings loopback up and makes every address local, in the network
// that the calling thread is in.
func EveryAddress() error {
	link := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(link[4:], 1) // index: lo
	binary.NativeEndian.PutUint32(link[8:], unix.IFF_UP)
	binary.NativeEndian.PutUint32(link[12:], unix.IFF_UP)
	if err := netlink(unix.RTM_NEWLINK, 0, link); err != nil {
		return fmt.Errorf("bring loopback up: %w", err)
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
			return fmt.Errorf("make every address local: %w", err)
		}
	}
	return nil
}

// netlink sends one message and waits for the kernel's word (rtnetlink(7)).
func netlink(kind, flags uint16, body []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it has said all
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
