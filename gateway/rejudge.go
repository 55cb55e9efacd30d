package gateway

import "slices"

// Judged is the snapshot with other verdicts on its endpoints, for somebody who sees them in
// another way than this node, such as a fleet. Rotation and panic follow from these; what
// people say about an endpoint stands. Upstreams on which nothing differs are shared.
func (s *Snapshot) Judged(verdict func(UpstreamKey, *Endpoint) Verdict) *Snapshot {
	next := *s
	touched := map[int]bool{} // runs
	for i, u := range s.Upstreams {
		var verdicts []Verdict // nil while all are as they were
		for j := range u.Endpoints {
			ep := &u.Endpoints[j]
			v := verdict(u.Key, ep)
			if verdicts == nil && v.State == ep.Verdict.State {
				continue
			}
			if verdicts == nil {
				for before := range j {
					verdicts = append(verdicts, u.Endpoints[before].Verdict)
				}
			}
			verdicts = append(verdicts, v)
		}
		if verdicts == nil {
			continue
		}
		if len(touched) == 0 {
			next.Upstreams = slices.Clone(s.Upstreams)
		}
		other := *u
		other.verdictDigest = digest{}
		other.Endpoints = slices.Clone(u.Endpoints)
		other.judge(verdicts)
		next.Upstreams[i] = &other
		touched[i/runLength] = true
	}
	if len(touched) == 0 {
		return s
	}
	next.sumUp(func(run int) bool { return touched[run] })
	return &next
}
