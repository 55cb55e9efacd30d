package gateway

import (
	"crypto/sha256"
	"slices"
)

// runLength is how many upstreams are summed up together: near the square root of what a
// large installation has, so that a change looks at few upstreams and at few runs.
const runLength = 128

// run sums up neighbours among the upstreams of a snapshot: the first runLength of them, the
// next ones, and so on. A change of one upstream sums up its own run anew and shares the
// others; reading every one of 10,000 upstreams again takes a thousand times as long as
// building the one that changed.
type run struct {
	digest   digest
	verdicts digest // zero: none is known
	problems []Problem
	// certified are the upstreams that show a certificate to their endpoints.
	certified []*EffectiveUpstream
}

func runOf(upstreams []*EffectiveUpstream) run {
	var r run
	all, verdicts, known := sha256.New(), sha256.New(), false
	for _, u := range upstreams {
		all.Write(u.digest[:])
		if u.verdictDigest != (digest{}) {
			verdicts.Write(u.digest[:])
			verdicts.Write(u.verdictDigest[:])
			known = true
		}
		r.problems = append(r.problems, u.problems...)
		if u.TLS != nil && u.TLS.Certificate != "" {
			r.certified = append(r.certified, u)
		}
	}
	r.digest = digest(all.Sum(nil))
	if known {
		r.verdicts = digest(verdicts.Sum(nil))
	}
	return r
}

// sumUp completes a snapshot whose parts are there: its digests and problems. Runs that are
// not touched are as they were.
func (s *Snapshot) sumUp(touched func(run int) bool) {
	before := s.runs
	s.runs = make([]run, 0, (len(s.Upstreams)+runLength-1)/runLength)
	all, verdicts := sha256.New(), sha256.New()
	all.Write(s.otherDigest[:])
	s.Problems = append([]Problem{}, s.otherProblems...)
	for part := range slices.Chunk(s.Upstreams, runLength) {
		i := len(s.runs)
		if touched(i) {
			s.runs = append(s.runs, runOf(part))
		} else {
			s.runs = append(s.runs, before[i])
		}
		r := &s.runs[i]
		all.Write(r.digest[:])
		if r.verdicts != (digest{}) {
			verdicts.Write(r.verdicts[:])
		}
		s.Problems = append(s.Problems, r.problems...)
	}
	s.Problems = append(s.Problems, s.certificateProblems()...)
	slices.SortFunc(s.Problems, Problem.Compare)
	s.Digest = digest(all.Sum(nil)).String()
	s.VerdictDigest = digest(verdicts.Sum(nil)).String()
}
