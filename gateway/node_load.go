package gateway

import "time"

// NodeLoad is the part of a report that tells what a node's nginx has loaded and how, and
// what its agent went through.
type NodeLoad struct {
	// DesiredFingerprint is the fingerprint that the node would have if nobody had changed the
	// rendered tree by hand; files outside of the tree count as they are. Empty while the
	// desired bundle is not on the node's disk.
	DesiredFingerprint string `json:"desiredFingerprint,omitempty"`
	// RunningFingerprint is the fingerprint of the files that the workers were started with.
	// Empty when that is not known.
	RunningFingerprint string `json:"runningFingerprint,omitempty"`
	// LoadedAt is when nginx read its files last, and LoadedBy who made it do so.
	LoadedAt time.Time `json:"loadedAt,omitzero"`
	LoadedBy LoadedBy  `json:"loadedBy,omitempty"`
	// RunningAs is what the workers answer when that is not Running: a bundle that differs
	// from Running in nothing that nginx looks at, so no reload was needed.
	RunningAs string `json:"runningAs,omitempty"`
	// Reason says why desired, on disk and running are not one, or what else is wrong.
	Reason NodeReason `json:"reason,omitempty"`

	// DrainingWorkers are those of before the last reloads that still have connections. The
	// oldest began to drain at OldestDraining, as far as the agent has seen.
	DrainingWorkers int       `json:"drainingWorkers,omitempty"`
	OldestDraining  time.Time `json:"oldestDraining,omitzero"`
	// ReloadEvery is the fleet's reload budget as this node stretches it for the workers that
	// still drain. It is left out while nothing is stretched.
	ReloadEvery Duration `json:"reloadEvery,omitempty"`
	// Orphans are workers that serve on although their master process was killed.
	Orphans []int `json:"orphans,omitempty"`

	// Recovered is what the agent found when it started after it had been killed.
	Recovered *Recovery `json:"recovered,omitempty"`
	// ClockOff is how far the node's clock is ahead of the control plane's, in whole seconds.
	// Less than five seconds are left out.
	ClockOff Duration `json:"clockOff,omitempty"`
	// RunningVersion is the version of the nginx that runs, when the binary on disk was
	// replaced by another one.
	RunningVersion string `json:"runningVersion,omitempty"`
}

// LoadedBy says who made nginx load its files.
type LoadedBy string

// Who can make nginx load its files.
const (
	LoadedByAgent LoadedBy = "agent"
	LoadedByStart LoadedBy = "start" // nginx was started
	LoadedByHand  LoadedBy = "hand"  // nginx was reloaded by somebody else
)

// NodeReason says in one word why a node is not what it should be.
type NodeReason string

// The reasons, the one that matters most first.
const (
	// ReasonDiskFull: the bundle does not fit on the node's disk.
	ReasonDiskFull NodeReason = "disk_full"
	// ReasonCheckFailed: nginx -t, or the staging before it, refused the bundle.
	ReasonCheckFailed NodeReason = "check_failed"
	// ReasonReloadFailed: nginx did not take the bundle over when it was told to.
	ReasonReloadFailed NodeReason = "reload_failed"
	// ReasonNotRunning: there is no nginx.
	ReasonNotRunning NodeReason = "nginx_not_running"
	// ReasonOrphans: the master process was killed and its workers serve on.
	ReasonOrphans NodeReason = "nginx_without_master"
	// ReasonWouldNotStart: nginx would refuse the files on disk.
	ReasonWouldNotStart NodeReason = "would_not_start"
	// ReasonNotLoaded: files were changed by hand and nginx has not loaded the change.
	ReasonNotLoaded NodeReason = "edited_not_loaded"
	// ReasonHandEdit: files were changed by hand, and somebody made nginx load the change.
	ReasonHandEdit NodeReason = "edited_and_loaded"
	// ReasonBinaryReplaced: nginx runs a binary that is no longer on disk.
	ReasonBinaryReplaced NodeReason = "binary_replaced"
	// ReasonClock: the node's clock is wrong by a minute or more.
	ReasonClock NodeReason = "clock_off"
)

// Recovery is what an agent found when it started after its last life had been killed.
type Recovery struct {
	// Digest is the bundle that was being applied, and Step how far it had got: stage, flip
	// or undo. Both are empty when none was.
	Digest string `json:"digest,omitempty"`
	Step   string `json:"step,omitempty"`
	// Action is what the agent did about it.
	Action  RecoveryAction `json:"action"`
	Message string         `json:"message"`
	At      time.Time      `json:"at"`
}

// RecoveryAction is what an agent did with an interrupted bundle.
type RecoveryAction string

// What an agent can do with an interrupted bundle.
const (
	RecoveryNothing   RecoveryAction = "nothing"   // there was none
	RecoveryForgotten RecoveryAction = "forgotten" // it had not reached nginx
	RecoveryFinished  RecoveryAction = "finished"
	RecoveryUndone    RecoveryAction = "undone"
)
