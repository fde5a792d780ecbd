package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// report is what a child says of itself.
type report struct {
	// CPU is what the process has used so far.
	CPU time.Duration `json:"cpu"`
	// Mallocs and Bytes are all that it has allocated so far.
	Mallocs uint64 `json:"mallocs"`
	Bytes   uint64 `json:"bytes"`
	// Resident is its memory now, in bytes; 0: the system does not tell.
	Resident int64 `json:"resident"`
	// Heap is what of its memory holds objects.
	Heap int64 `json:"heap"`
	// Live is how many hops it has.
	Live int `json:"live"`
	// Names is for how many names it inspects TLS, or did a moment ago.
	Names int `json:"names"`
	// Envoy is the process of its Envoy; 0: it has none. Admin is the socket by
	// which that tells of itself.
	Envoy int    `json:"envoy"`
	Admin string `json:"admin"`
	// Ready is how long it took from New to Ready.
	Ready time.Duration `json:"ready"`
}

// own is what this process has used.
func own() report {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return report{CPU: ownCPU(), Mallocs: m.Mallocs, Bytes: m.TotalAlloc, Heap: int64(m.HeapAlloc), Resident: resident()}
}

// ownCPU is the CPU time of all threads of this process, the collector's too.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("getrusage of this process: " + err.Error()) // it has no way to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process.
func resident() int64 { return residentOf("self") }

// residentOf reads /proc, which Linux alone has.
func residentOf(pid string) int64 {
	raw, err := os.ReadFile("/proc/" + pid + "/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(raw)
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// tick is the unit of /proc/PID/stat, the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpuOf is the CPU time of another process; false: the system does not tell.
func cpuOf(pid int) (time.Duration, bool) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	return parseStat(raw)
}

// parseStat reads utime and stime, fields 14 and 15 (proc_pid_stat(5)). The
// second field is a name, and may hold anything.
func parseStat(raw []byte) (time.Duration, bool) {
	const user, system = 14 - 3, 15 - 3
	f := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(f) <= system {
		return 0, false
	}
	u, err := strconv.ParseInt(string(f[user]), 10, 64)
	if err != nil {
		return 0, false
	}
	s, err := strconv.ParseInt(string(f[system]), 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(u+s) * tick, true
}
