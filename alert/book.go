package alert

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Book knows which conditions hold, so that each is told once when it begins and once when it
// is over. It reads no clock and is used by one goroutine at a time.
type Book struct {
	node   string
	active map[string]gateway.Alert
	// young are conditions whose grace is not over, by the time at which they were first seen.
	young map[string]time.Time
}

// NewBook returns an empty book; node signs the alerts.
func NewBook(node string) *Book {
	return &Book{node: node, active: map[string]gateway.Alert{}, young: map[string]time.Time{}}
}

// Look compares all conditions of some kinds with those that held before, and returns what is
// to be told: those that began, those that are worse now, those that are over.
func (b *Book) Look(now time.Time, kinds []gateway.AlertKind, holds []gateway.Alert) (news []gateway.Alert) {
	seen := map[string]bool{}
	for _, a := range holds {
		if !slices.Contains(kinds, a.Kind) {
			continue
		}
		seen[a.ID] = true
		if _, known := b.active[a.ID]; !known && b.tooYoung(now, a) {
			continue
		}
		news = append(news, b.begin(now, a)...)
	}
	for id := range b.young {
		if !seen[id] && slices.Contains(kinds, kindIn(id)) {
			delete(b.young, id)
		}
	}
	for id, a := range b.active {
		if !seen[id] && slices.Contains(kinds, a.Kind) {
			news = append(news, b.end(now, id, "")...)
		}
	}
	slices.SortFunc(news, func(a, b gateway.Alert) int { return a.Compare(&b) })
	return news
}

// kindIn is the kind that an ID begins with.
func kindIn(id string) gateway.AlertKind {
	kind, _, _ := strings.Cut(id, "/")
	return gateway.AlertKind(kind)
}

// tooYoung says whether a condition has not held for its grace yet.
func (b *Book) tooYoung(now time.Time, a gateway.Alert) bool {
	grace := graces[a.Kind]
	if grace == 0 {
		return false
	}
	first, ok := b.young[a.ID]
	if !ok {
		b.young[a.ID], first = now, now
	}
	if now.Sub(first) < grace {
		return true
	}
	delete(b.young, a.ID)
	return false
}

// begin notes a condition. It is news when it did not hold before, or was less severe.
func (b *Book) begin(now time.Time, a gateway.Alert) []gateway.Alert {
	was, known := b.active[a.ID]
	a.Node = b.node
	switch {
	case known:
		a.Since = was.Since
	case a.Since.IsZero():
		a.Since = now
	}
	a.Since = a.Since.UTC()
	b.active[a.ID] = a
	if known && !a.Severity.Above(was.Severity) {
		return nil
	}
	return []gateway.Alert{a}
}

// end notes that a condition is over, if it held.
func (b *Book) end(now time.Time, id, reason string) []gateway.Alert {
	a, known := b.active[id]
	if !known {
		return nil
	}
	delete(b.active, id)
	a.Resolved, a.Ended, a.Detail = true, now.UTC(), sentence(reason)
	return []gateway.Alert{a}
}

// Event takes in what health has decided. Looks alone would not see what is over before the
// next one.
func (b *Book) Event(e *gateway.HealthEvent) []gateway.Alert {
	if e.Shadow {
		return nil
	}
	u := e.Upstream
	switch e.Kind {
	case gateway.EventServiceBad:
		return b.begin(e.At, serviceBad(u, e.At, e.Reason))
	case gateway.EventServiceGood:
		return b.end(e.At, id(gateway.AlertServiceBad, u.Tenant, u.Name), e.Reason)
	case gateway.EventPanic:
		return b.begin(e.At, panicking(u, e.At, e.Reason))
	case gateway.EventCalm:
		return b.end(e.At, id(gateway.AlertPanic, u.Tenant, u.Name), e.Reason)
	}
	if e.Verdict == nil {
		return nil
	}
	if a, ok := endpointOut(e.Verdict); ok {
		return b.begin(e.At, a)
	}
	reason := e.Reason
	if e.Verdict.Rule == ruleByHand {
		reason = "A person has taken over: the endpoint is " + string(e.Verdict.State) + " by hand"
	}
	return b.end(e.At, id(gateway.AlertEndpointOut, u.Tenant, u.Name, e.Address), reason)
}

// Active lists what holds now, the worst first.
func (b *Book) Active() []gateway.Alert {
	out := make([]gateway.Alert, 0, len(b.active))
	for _, a := range b.active {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b gateway.Alert) int { return a.Compare(&b) })
	return out
}
