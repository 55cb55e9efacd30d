package gateway

import "time"

// Revision is what the nodes of a fleet should run, apart from endpoints, which change without
// a revision. Numbers of a fleet only grow.
type Revision struct {
	Number uint64 `json:"number"`
	// Back is the revision whose files these are again, after a rollout was taken back. 0: they
	// are its own.
	Back uint64    `json:"back,omitempty"`
	At   time.Time `json:"at"`
	// Generation of the snapshot that it is made of, in the process that made it.
	Generation uint64 `json:"generation,omitempty"`
	// Objects whose text has changed, at most 20, and who has changed them, if that is known.
	Objects []Ref    `json:"objects,omitempty"`
	Authors []string `json:"authors,omitempty"`
	// Intent is the digest of what people want of the fleet.
	Intent string `json:"intent,omitempty"`
	// Shapes are the digests of its files without their endpoints, by the facts of nodes.
	Shapes map[string]string `json:"shapes,omitempty"`
}

// Content is the number of the revision that the files were made for.
func (r *Revision) Content() uint64 {
	if r.Back != 0 {
		return r.Back
	}
	return r.Number
}

// RolloutState says how far a rollout is.
type RolloutState string

// The states of a rollout. The first two go on, all others are its end.
const (
	RolloutRolling    RolloutState = "rolling"    // nodes of the wave get the change
	RolloutBaking     RolloutState = "baking"     // all of them run it
	RolloutDone       RolloutState = "done"       // every node runs it, or will when it comes back
	RolloutSuperseded RolloutState = "superseded" // a newer change took its place
	RolloutFailed     RolloutState = "failed"     // a gate did not open: nodes went back
	RolloutAborted    RolloutState = "aborted"    // a person said so: nodes went back
)

// Active says whether the rollout goes on.
func (s RolloutState) Active() bool { return s == RolloutRolling || s == RolloutBaking }

// Rollout is how one revision reaches the nodes of a fleet.
type Rollout struct {
	Fleet string `json:"fleet"`
	// Revision that it brings, and From that the nodes ran before.
	Revision uint64       `json:"revision"`
	From     uint64       `json:"from"`
	State    RolloutState `json:"state"`
	// Paused: nothing moves until a person resumes it.
	Paused bool `json:"paused,omitempty"`
	// Reason says in one or two sentences why it is in this state, with figures.
	Reason  string   `json:"reason,omitempty"`
	Objects []Ref    `json:"objects,omitempty"`
	Authors []string `json:"authors,omitempty"`
	// Wave is the one under way, from 1.
	Wave  int           `json:"wave"`
	Waves []RolloutWave `json:"waves"`
	// LeftOut are nodes that were silent, or without nginx. They catch up when they come back.
	LeftOut   []string  `json:"leftOut,omitempty"`
	StartedAt time.Time `json:"startedAt"`
	// BakeUntil is when the wave has run the change for long enough, while it is baking.
	BakeUntil time.Time `json:"bakeUntil,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
}

// RolloutWave is one wave of a rollout.
type RolloutWave struct {
	Size Wave `json:"size"`
	// Nodes that got the change in this wave; of a rollout that is over, at most 20.
	Nodes []string `json:"nodes"`
	// Count is how many they are.
	Count     int       `json:"count"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	// RunningAt is since when all of them run it, PassedAt when the gates were open.
	RunningAt time.Time       `json:"runningAt,omitzero"`
	PassedAt  time.Time       `json:"passedAt,omitzero"`
	Figures   *RolloutFigures `json:"figures,omitempty"`
}

// RolloutFigures are what a wave is judged by.
type RolloutFigures struct {
	Changed RolloutCounts `json:"changed"`
	// Reference is of the nodes without the change, or of the same nodes before it where those
	// had too few requests.
	Reference RolloutCounts `json:"reference"`
	// Before says that the reference is of the same nodes.
	Before bool `json:"before,omitempty"`
}

// RolloutCounts are what clients and endpoints answered.
type RolloutCounts struct {
	Nodes         int    `json:"nodes"`
	Requests      uint64 `json:"requests"`
	Errors        uint64 `json:"errors"` // 5xx to clients
	Exchanges     uint64 `json:"exchanges"`
	ConnectErrors uint64 `json:"connectErrors"`
}

// RolloutAction is what a person may do with a rollout.
type RolloutAction string

// The actions.
const (
	RolloutPause   RolloutAction = "pause"   // nothing moves, endpoints apart
	RolloutResume  RolloutAction = "resume"  // go on, or try again what failed
	RolloutAbort   RolloutAction = "abort"   // the nodes that have the change go back
	RolloutPromote RolloutAction = "promote" // the wave has baked for long enough
)
