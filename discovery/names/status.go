package names

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Status says how the announcing is. All but Leading and Error is known to the leader only.
type Status struct {
	// Leading says whether this process is the one to announce.
	Leading bool `json:"leading"`
	// Announced names, those that wait for a call, and those whose service is gone and whose
	// grace runs.
	Announced int `json:"announced"`
	Pending   int `json:"pending"`
	Leaving   int `json:"leaving"`
	// Failing names are among the others; Error is of the first of them.
	Failing int    `json:"failing"`
	Error   string `json:"error,omitempty"`
}

// Status may be called from any goroutine.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{Leading: k.leading, Failing: len(k.failing)}
	for _, r := range k.records {
		switch {
		case r.Phase != Announced:
			s.Pending++
		case !r.Gone.IsZero():
			s.Leaving++
		default:
			s.Announced++
		}
	}
	first := ""
	for host, f := range k.failing {
		if first == "" || host < first {
			first, s.Error = host, host+": "+f.err.Error()
		}
	}
	if k.broken != nil {
		s.Error = k.broken.Error()
	}
	return s
}

// Records are what is known about each name, sorted by host.
func (k *Keeper) Records() []Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Record
	for _, r := range k.records {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Record) int { return cmp.Compare(a.Host, b.Host) })
	return out
}

// Name is a record with how its last call went.
type Name struct {
	Record
	// Error is why the last call failed; "" when it did not.
	Error string
	// Next is when it is made again. Zero: not before the name changes, or it did not fail.
	Next time.Time
}

// Names are what is known about each name, sorted by host. Only the process that announces
// knows any.
func (k *Keeper) Names() []Name {
	records := k.Records()
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]Name, 0, len(records))
	for _, r := range records {
		n := Name{Record: r}
		if f, failed := k.failing[r.Host]; failed {
			n.Error, n.Next = f.err.Error(), f.next
		}
		out = append(out, n)
	}
	return out
}

// Problems are the calls that fail, shown on the upstreams.
func (k *Keeper) Problems() []gateway.Problem {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []gateway.Problem
	for host, f := range k.failing {
		p := gateway.Problem{Object: gateway.Ref{Kind: gateway.KindUpstream, Tenant: f.record.Service.Tenant, Name: f.record.Service.Upstream},
			Field: "spec.discover", Code: "name_unannounced", Source: "names"}
		does := "announced"
		if f.record.Phase == Withdrawing {
			does = "withdrawn"
		}
		p.Message = fmt.Sprintf("The name %s could not be %s: %v. It is tried again.", host, does, f.err)
		switch {
		case errors.Is(f.err, ErrTaken):
			p.Code = "name_foreign"
			p.Message = fmt.Sprintf("The name %s could not be %s: %v. It is tried again at %s.", host, does, f.err, f.next.UTC().Format(time.TimeOnly+" UTC"))
		case errors.Is(f.err, ErrRejected):
			p.Code = "name_rejected"
			p.Message = fmt.Sprintf("The name %s could not be %s: %v. It is not tried again before a restart.", host, does, f.err)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, gateway.Problem.Compare)
	return out
}
