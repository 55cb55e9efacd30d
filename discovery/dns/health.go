package dns

import (
	"fmt"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
)

// health is how the source is doing.
type health struct {
	mu        sync.Mutex
	running   bool
	failing   map[question]error // names that no server gives an answer about
	lastEvent time.Time
	wanted    int
}

// question notes whether a question is answered (nil) or not, and says whether this is news
// worth a log line: the first failure in a row.
func (h *health) question(q question, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, failing := h.failing[q]
	if err == nil {
		delete(h.failing, q)
		return false
	}
	if h.failing == nil {
		h.failing = map[question]error{}
	}
	h.failing[q] = err
	return !failing
}

func (h *health) forget(q question) { h.question(q, nil) }

func (h *health) event(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastEvent = now
}

func (h *health) wants(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted = n
}

func (h *health) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = true
}

// stop clears what is true of a running source only.
func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running, h.wanted = false, 0
	clear(h.failing)
}

func (h *health) status() discovery.SourceStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := discovery.SourceStatus{Up: h.running && len(h.failing) == 0, LastEvent: h.lastEvent, Wants: h.wanted}
	if !h.running {
		s.Error = "not running"
	}
	var first string
	for q, err := range h.failing {
		if text := q.String(); first == "" || text < first {
			first, s.Error = text, err.Error()
		}
	}
	if n := len(h.failing); n > 1 {
		s.Error = fmt.Sprintf("%d names cannot be looked up; %s", n, s.Error)
	}
	return s
}
