package gateway

import "time"

// Bundle names the files of a revision, with the endpoints of some moment, for nodes that are
// alike.
type Bundle struct {
	Digest string `json:"digest"`
	// Facts are the same for bundles of nodes that are alike, and mean nothing else.
	Facts string `json:"facts"`
	// Revisions whose files it has, the newest first: more than one after a change was taken
	// back, none when that is not known any more.
	Revisions []uint64 `json:"revisions"`
	// Nodes that should run it now.
	Nodes []string `json:"nodes"`
	// Since is when it became what they should run, zero for one of before.
	Since time.Time `json:"since,omitzero"`
}
