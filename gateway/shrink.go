package gateway

import (
	"cmp"
	"time"
)

// Shrink is a source's loss of most of an upstream's endpoints at once, while those that went
// are kept: it may be a mistake.
type Shrink struct {
	Upstream UpstreamKey `json:"upstream"`
	Source   SourceKind  `json:"source"`
	Place    string      `json:"place,omitempty"` // as in [SetKey]
	// Since is when it was noticed, Until when what is kept is let go.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Lost endpoints, of how many that there were. Those that came back since are among them.
	Lost int `json:"lost"`
	Of   int `json:"of"`
	// Kept are the addresses that are still in use because of it, sorted.
	Kept []string `json:"kept"`
}

// Compare orders shrinks by upstream, source and place.
func (s Shrink) Compare(o Shrink) int {
	return cmp.Or(s.Upstream.Compare(o.Upstream), cmp.Compare(s.Source, o.Source), cmp.Compare(s.Place, o.Place))
}
