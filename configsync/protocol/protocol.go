package protocol

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The paths of the agents' API. Bundle and tree take the query parameters fleet and node;
// bundle also takes digest; above: the highest number that the node has applied; and facts:
// see Statement.
const (
	PathSync   = "/agent/v1/sync"
	PathBundle = "/agent/v1/bundle"
	PathTree   = "/agent/v1/tree"
	// PathOutcomes takes the query parameters fleet and node, too.
	PathOutcomes = "/agent/v1/outcomes"
)

// MaxWait is how long a sync is held when there is nothing new.
const MaxWait = 25 * time.Second

// SyncRequest is an agent's report.
type SyncRequest struct {
	Report gateway.NodeReport `json:"report"`
	// Have is the desired digest that the agent knows. The answer waits while it is still
	// the desired one.
	Have string `json:"have"`
	// HaveLive is the same for the version of the endpoint sets.
	HaveLive string `json:"haveLive,omitempty"`
	// Wait bounds the waiting, at most MaxWait; 0 answers at once.
	Wait gateway.Duration `json:"wait,omitempty"`
	// Settled is the digest of the newest [Settle] that the agent has heard. The answer waits
	// while it is still the newest.
	Settled string `json:"settled,omitempty"`
	// Carried is that of the newest one that it has carried out: what that asks for is done, or
	// the report says why not.
	Carried string `json:"carried,omitempty"`
}

// SyncResponse is what the node should do.
type SyncResponse struct {
	// Desired is the digest of the bundle to run.
	Desired string `json:"desired"`
	// ReloadEvery is the shortest time between two reloads of the node.
	ReloadEvery gateway.Duration `json:"reloadEvery"`
	// LiveVersion is the version of the endpoint sets that the node should have beside the
	// bundle. Empty for a node whose endpoints stand in its files.
	LiveVersion string `json:"liveVersion,omitempty"`
	// Drain is how long the node's health address answers 503 before the bundle is applied.
	Drain gateway.Duration `json:"drain,omitempty"`
	// UploadTree asks for the files that nginx loads: their fingerprint is new here.
	UploadTree bool `json:"uploadTree,omitempty"`
	// Settle is there when it is not what the request names.
	Settle *Settle `json:"settle,omitempty"`
}

// NodeTree is every file that a node's nginx would load, as found on its disk.
type NodeTree struct {
	Fingerprint string     `json:"fingerprint"`
	At          time.Time  `json:"at,omitzero"` // when it was uploaded
	Files       []NodeFile `json:"files"`       // sorted by path
}

// Size is how many bytes the paths and contents take.
func (t *NodeTree) Size() (n int) {
	for _, f := range t.Files {
		n += len(f.Path) + len(f.Data)
	}
	return n
}

// NodeFile is one file of a node.
type NodeFile struct {
	// Path is relative for files of the rendered tree ("servers/x.conf") and absolute for
	// all others ("/etc/nginx/nginx.conf").
	Path string `json:"path"`
	Data []byte `json:"data"`
	// Hidden says that Data stands in the place of a secret; see nginxconf.Hide.
	Hidden bool `json:"hidden,omitempty"`
}
