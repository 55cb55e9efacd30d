package agent

import (
	"os"
	"strconv"
	"strings"
)

// worker is one worker process of nginx at the moment of a reload.
type worker struct {
	pid   int
	title string
}

// beforeReload is what has to be known from before a reload to judge it afterwards.
type beforeReload struct {
	workers []worker
	log     logTail
}

func (n *nginx) beforeReload() beforeReload {
	return beforeReload{workers: n.workers(), log: n.tailErrorLog()}
}

// workers lists the master's workers that take connections. nginx sets a worker's title to
// "... is shutting down" in the same turn in which it closes its listening sockets, so an
// unchanged title is a worker that may still answer.
func (n *nginx) workers() []worker {
	master := strconv.Itoa(n.master())
	b, err := os.ReadFile("/proc/" + master + "/task/" + master + "/children")
	if err != nil {
		return nil // without it, one answer of a new worker has to do
	}
	var list []worker
	for _, field := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		if title := processTitle(pid); title != "" && !strings.Contains(title, "shutting down") {
			list = append(list, worker{pid: pid, title: title})
		}
	}
	return list
}

// accepting says whether one of the workers may still take connections.
func accepting(list []worker) bool {
	for _, w := range list {
		if processTitle(w.pid) == w.title {
			return true
		}
	}
	return false
}

func processTitle(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(b), "\x00 ")
}
