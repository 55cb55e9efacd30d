package gateway

import (
	"slices"
	"time"
)

// Allowance lets an edit by hand stay on nginx nodes until a date. It is an object, so that it
// has an author and a history, and ends early when it is deleted.
type Allowance struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec AllowanceSpec    `json:"spec"`
}

// AllowanceSpec says which edit may stay where, until when and why. Who said it stands in Meta.
type AllowanceSpec struct {
	Fleet string `json:"fleet"`
	Hunk  string `json:"hunk"` // see Hunk.ID
	// Nodes are those it is allowed on. Empty: all that have the edit.
	Nodes  []string  `json:"nodes,omitempty"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
	// About is the edit in words, for people who read the object.
	About string `json:"about,omitempty"`
}

// AllowanceName is the name under which the API keeps the one allowance of a hunk.
func AllowanceName(fleet, hunk string) string {
	const longest = 63
	return fleet[:min(len(fleet), longest-len(hunk)-1)] + "-" + hunk
}

// Allows says whether the edit may stay on a node at a time.
func (a *Allowance) Allows(fleet, node, hunk string, now time.Time) bool {
	s := &a.Spec
	return s.Fleet == fleet && s.Hunk == hunk && now.Before(s.Until) && (len(s.Nodes) == 0 || slices.Contains(s.Nodes, node))
}
