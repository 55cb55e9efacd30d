package agent

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// worker is one worker process of nginx.
type worker struct {
	pid   int
	title string
	start uint64 // clock ticks from the machine's start, as the kernel tells
}

// beforeReload is what has to be known from before a reload to judge it afterwards.
type beforeReload struct {
	workers []worker
	log     logTail
}

func (n *nginx) beforeReload() beforeReload {
	accepting, _ := n.workers()
	return beforeReload{workers: accepting, log: n.tailErrorLog()}
}

// workers lists the master's workers that take connections, and those that drain. nginx sets
// a worker's title to "... is shutting down" in the same turn in which it closes its
// listening sockets, so an unchanged title is a worker that may still answer.
func (n *nginx) workers() (accepting, draining []worker) {
	master := strconv.Itoa(n.master())
	b, err := os.ReadFile("/proc/" + master + "/task/" + master + "/children")
	if err != nil {
		return nil, nil // without it, one answer of a new worker has to do
	}
	for _, field := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		w := worker{pid: pid, title: processTitle(pid), start: processStart(pid)}
		// Not cache managers, and not a child that has the master's title until it has its own.
		if !strings.HasPrefix(w.title, "nginx: worker process") {
			continue
		}
		if strings.Contains(w.title, "shutting down") {
			draining = append(draining, w)
		} else {
			accepting = append(accepting, w)
		}
	}
	return accepting, draining
}

// accepting says whether one of the workers may still take connections.
func accepting(list []worker) bool {
	for _, w := range list {
		if w.accepts() {
			return true
		}
	}
	return false
}

func (w worker) accepts() bool {
	return processTitle(w.pid) == w.title && (w.start == 0 || processStart(w.pid) == w.start)
}

// alive says whether it is still the process that it was.
func (w worker) alive() bool { return w.start != 0 && processStart(w.pid) == w.start }

// end asks a worker to finish its requests and to take no more.
func (w worker) end() error {
	if !w.alive() {
		return nil
	}
	return syscall.Kill(w.pid, syscall.SIGQUIT)
}

func processTitle(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(b), "\x00 ")
}

// processStart is when a process was started, in clock ticks from the machine's start, or 0.
// A pid together with it names a process for as long as the machine runs.
func processStart(pid int) uint64 { return processStat(pid, 22) }

func processParent(pid int) int { return int(processStat(pid, 4)) }

// processStat is a number out of /proc/PID/stat by its place, see proc(5), or 0 when the process
// is gone.
func processStat(pid, place int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is the name in parentheses, with anything in it.
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" {
		return 0
	}
	n, err := strconv.ParseUint(fields[place-3], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// ticks is how many the kernel shows to programs in a second, on every Linux machine.
const ticks = 100

// startedAt turns a start into a time, by how long the machine runs now.
func startedAt(start uint64, now time.Time) time.Time {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil || start == 0 {
		return time.Time{}
	}
	first, _, _ := strings.Cut(string(b), " ")
	up, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return time.Time{}
	}
	age := up - float64(start)/ticks
	return now.Add(-time.Duration(age * float64(time.Second)))
}
