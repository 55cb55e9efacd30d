package gateway

import "time"

// NodeFacts is what an agent found out about its nginx. The renderer chooses directives by
// it.
type NodeFacts struct {
	NginxVersion string   `json:"nginxVersion"` // "1.22.1"
	Modules      []string `json:"modules,omitempty"`
	ConfPath     string   `json:"confPath"` // nginx's main configuration file
	// TreePath is the folder (a symlink to the current tree) that nginx.conf includes.
	TreePath string `json:"treePath"`
	// Listen are the values of the listen directives of every rendered server, such as "80"
	// or "127.0.0.1:8080". Default: "80".
	Listen []string `json:"listen,omitempty"`
	// ListenTLS are the same for TLS, such as "443". Default: none, and hosts are served
	// without TLS.
	ListenTLS []string `json:"listenTLS,omitempty"`
	// TrustedCA is the file with the authorities that the node's system trusts, for endpoints
	// whose upstream names none. Empty: there is no such file.
	TrustedCA string `json:"trustedCA,omitempty"`
	// DigestListen is where the node answers the digest that it runs: "unix:PATH" or a
	// loopback address. Default: the socket sluice.sock beside TreePath.
	DigestListen string `json:"digestListen,omitempty"`
	// Outcomes is where nginx writes how exchanges with endpoints ended, for the agent:
	// "unix:PATH" of a socket for syslog, or the path of a file. Empty: nowhere.
	Outcomes string `json:"outcomes,omitempty"`
	// AccessLog is what nginx.conf says about access logs at the level of http: "off", the path
	// of the log that nginx writes because nothing is said, or empty for logs of its own.
	AccessLog string `json:"accessLog,omitempty"`
	// Main is what the node's own nginx.conf says about the node.
	Main         *NodeMain `json:"main,omitempty"`
	PID          int       `json:"pid,omitempty"`
	AgentVersion string    `json:"agentVersion"`
}

// NodeReport is what an agent tells about its node. Digests are bundle digests, empty when
// there is none.
type NodeReport struct {
	Fleet string    `json:"fleet"`
	Node  string    `json:"node"`
	Facts NodeFacts `json:"facts"`
	// OnDisk is the digest of the tree that nginx would load on restart.
	OnDisk string `json:"onDisk,omitempty"`
	// OnDiskSince and RunningSince are when the value was first seen.
	OnDiskSince time.Time `json:"onDiskSince,omitzero"`
	// Running is the digest that a fresh nginx worker answered.
	Running      string    `json:"running,omitempty"`
	RunningSince time.Time `json:"runningSince,omitzero"`
	// Failed is the last bundle that could not be applied, with the step and reason. It is
	// cleared by the next success.
	Failed *ApplyFailure `json:"failed,omitempty"`
	// Drift lists files that differ from the bundle the node was told to run.
	Drift []FileDrift `json:"drift,omitempty"`
	// Overwritten lists edits by hand that a later bundle has replaced. The edited files are
	// still in the node's folder of the old tree until that is cleaned up.
	Overwritten []FileDrift `json:"overwritten,omitempty"`
	// CheckError is nginx's message when the files on disk would not load: a restart of
	// nginx would fail now.
	CheckError string `json:"checkError,omitempty"`
	// Endpoints is how nginx gets endpoints: EndpointsByLua, or EndpointsInFiles with the reason.
	Endpoints string `json:"endpoints,omitempty"`
	// Live is the version of the endpoint sets that nginx has confirmed.
	Live string `json:"live,omitempty"`
	// Reloads and ReloadsFailed count since the agent's start.
	Reloads       uint64 `json:"reloads,omitempty"`
	ReloadsFailed uint64 `json:"reloadsFailed,omitempty"`
	// Fingerprint is the digest of all files that nginx loads (nginx -T).
	Fingerprint string `json:"fingerprint,omitempty"`
	// Settled are the newest results of what the control plane asked the node to take back, at
	// most one for each hunk.
	Settled    []SettleResult `json:"settled,omitempty"`
	ReportedAt time.Time      `json:"reportedAt"`
	NodeLoad
}

// What NodeReport.Endpoints begins with.
const (
	EndpointsByLua   = "lua"    // pushed to nginx, without a reload
	EndpointsInFiles = "static" // in nginx's files, with a reload
)

// ApplyFailure says which step of which bundle failed and why, in nginx's own words.
type ApplyFailure struct {
	Digest  string    `json:"digest"`
	Step    string    `json:"step"` // stage, check, flip, reload, verify
	Message string    `json:"message"`
	File    string    `json:"file,omitempty"` // relative to the tree
	Line    int       `json:"line,omitempty"`
	At      time.Time `json:"at"`
}

// FileDrift is one file that differs from what the node should have.
type FileDrift struct {
	Path string `json:"path"` // relative to the tree
	// Change: "modified", "added" or "removed" by hand.
	Change string `json:"change"`
	// Diff is unified, from what it should be to what it is.
	Diff string `json:"diff"`
	// Hunks are the directives that differ.
	Hunks []Hunk `json:"hunks,omitempty"`
	// Owner tells who may have done it. Nil for a file that is gone.
	Owner *FileOwner `json:"owner,omitempty"`
}

// NodeState sums up a node for people.
type NodeState string

// The states of a node, worst first.
const (
	NodeSilent  NodeState = "silent"  // no report for a while
	NodeFailed  NodeState = "failed"  // the node refused the desired bundle, or its nginx does not run
	NodeDrifted NodeState = "drifted" // files were changed by hand
	NodeRolling NodeState = "rolling" // desired is not running yet
	NodeInSync  NodeState = "in_sync" // desired, on disk and running are the same
)

// Node is a fleet node as the control plane sees it.
type Node struct {
	NodeReport
	State   NodeState `json:"state"`
	Desired string    `json:"desired"`
	// Revision that the desired bundle belongs to. 0: its fleet has no number yet.
	Revision uint64 `json:"revision,omitempty"`
	// DesiredSince is when this bundle became the desired one.
	DesiredSince time.Time `json:"desiredSince,omitzero"`
	// Mismatch says what the digests do not: files that were edited and not loaded, or loaded
	// and not desired.
	Mismatch Mismatch `json:"mismatch,omitempty"`
	// Allowed counts the edits by hand that may stay. A node with no others is in sync.
	Allowed int `json:"allowed,omitempty"`
	// Revoked says that its certificates are refused: its agent can't report, and nginx goes on
	// with what it has.
	Revoked bool `json:"revoked,omitempty"`
}
