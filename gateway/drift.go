package gateway

import "time"

// Hunk is one directive that differs between two configurations. Its ID is the same wherever
// the same directive differs in the same way, so that people can name it.
type Hunk struct {
	// ID is 12 hexadecimal digits.
	ID string `json:"id"`
	// Path of the file, as in FileDrift: relative inside the rendered tree, else absolute.
	Path string `json:"path"`
	// Where are the blocks around the directive, outermost first: "server shop.example.com",
	// "location /api".
	Where  []string   `json:"where,omitempty"`
	Change HunkChange `json:"change"`
	// Directive is its name; empty when the whole file or nothing but its comments differ.
	Directive string `json:"directive,omitempty"`
	// Old and New are the text as written, empty when there is none. OldLine and NewLine are
	// where it starts, from 1.
	Old     string `json:"old,omitempty"`
	New     string `json:"new,omitempty"`
	OldLine int    `json:"oldLine,omitempty"`
	NewLine int    `json:"newLine,omitempty"`
	// Allowed is set by the control plane while somebody lets the edit stay.
	Allowed *HunkAllowed `json:"allowed,omitempty"`
}

// HunkChange is what has become of a directive.
type HunkChange string

// The changes.
const (
	HunkChanged HunkChange = "changed"
	HunkAdded   HunkChange = "added"
	HunkRemoved HunkChange = "removed"
	// HunkMoved: it stands elsewhere in an order that matters.
	HunkMoved HunkChange = "moved"
	// HunkText: nothing but comments, white space, quoting or an order without meaning.
	HunkText HunkChange = "text"
	// HunkUnreadable: one side is no nginx configuration, so the files differ as a whole.
	HunkUnreadable HunkChange = "unreadable"
)

// Meaning says whether nginx could behave differently for it.
func (h *Hunk) Meaning() bool { return h.Change != HunkText }

// HunkAllowed says who lets an edit stay, until when and why.
type HunkAllowed struct {
	By     string    `json:"by,omitempty"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
	// Name of the Allowance object.
	Name string `json:"name"`
}

// FileOwner tells what is known about who changed a file.
type FileOwner struct {
	UID  int    `json:"uid"`
	User string `json:"user,omitempty"` // empty: the node knows no user with this id
	// Modified is when the file was written last, as the file system says.
	Modified time.Time `json:"modified"`
	// Hint is what the node's logs say about that time: sudo lines, and who was logged in. It
	// is "unknown" where there are no such logs.
	Hint string `json:"hint"`
}

// Mismatch says in what way a node does not run what it should, where its digests alone do
// not tell.
type Mismatch string

// The ways.
const (
	// MismatchDiskRunning: the files were changed and nginx has not read them yet.
	MismatchDiskRunning Mismatch = "disk_running"
	// MismatchRunningDesired: nginx runs files that are not what it should run.
	MismatchRunningDesired Mismatch = "running_desired"
)

// SettleResult is what became of taking an edit back on a node.
type SettleResult struct {
	Hunk string `json:"hunk"`
	// Error is empty when the edit is gone.
	Error string    `json:"error,omitempty"`
	At    time.Time `json:"at"`
}

// FleetDrift is how the nodes of a fleet differ from each other and from what they should be.
type FleetDrift struct {
	Fleet string `json:"fleet"`
	// Summary reads "9 alike, 1 differs in 2 directives".
	Summary string `json:"summary"`
	// Groups are the nodes that are alike, the largest group first.
	Groups []NodeGroup `json:"groups"`
	// Unknown are nodes whose files have not arrived yet.
	Unknown []string `json:"unknown,omitempty"`
}

// NodeGroup are nodes whose whole configuration means the same.
type NodeGroup struct {
	// Fingerprint is that of everything nginx loads, without what means nothing and what
	// belongs to a node, such as its addresses.
	Fingerprint string `json:"fingerprint"`
	// Reference is the largest group, which the others are compared with.
	Reference bool     `json:"reference,omitempty"`
	Nodes     []string `json:"nodes"`
	// Directives counts those that differ from the reference.
	Directives int         `json:"directives"`
	Hunks      []NodeHunk  `json:"hunks,omitempty"`
	Marks      []GroupMark `json:"marks,omitempty"`
}

// GroupMark says of a node what its files do not.
type GroupMark struct {
	Node     string   `json:"node"`
	Mismatch Mismatch `json:"mismatch"`
}

// HunkKind says what a hunk is a difference from, and so what can be done about it.
type HunkKind string

// The kinds.
const (
	// HunkByHand: a file of the rendered tree is not what its bundle holds.
	HunkByHand HunkKind = "by_hand"
	// HunkOutside: a file outside of the rendered tree is not what most nodes have.
	HunkOutside HunkKind = "outside"
	// HunkRendered: the nodes should run different files, for they are different or a rollout
	// is under way.
	HunkRendered HunkKind = "rendered"
)

// NodeHunk is a hunk with the nodes that have it.
type NodeHunk struct {
	Hunk
	Kind HunkKind   `json:"kind"`
	On   []HunkNode `json:"on"`
}

// HunkNode is a node that has an edit.
type HunkNode struct {
	Node  string     `json:"node"`
	Owner *FileOwner `json:"owner,omitempty"`
	// Allowed is set while the edit may stay on this node.
	Allowed *HunkAllowed `json:"allowed,omitempty"`
	// Asked says that the node was told to take the edit back and has not answered yet.
	Asked bool `json:"asked,omitempty"`
	// Failed is why the node did not take it back.
	Failed string `json:"failed,omitempty"`
}

// Adoption is what has to be written so that an edit by hand is meant: exactly one of
// Override, Endpoint, Remove and Pin is set.
type Adoption struct {
	Override *Override
	// Upstream owns the others.
	Upstream UpstreamKey
	Endpoint *ManualEndpoint // added, or changed by hand
	Remove   string          // address of one that was given by hand
	Pin      *PinSpec
}
