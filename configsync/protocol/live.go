package protocol

import "github.com/sluice-gateway/sluice/configsync/nginxconf"

// PathLive answers with [LiveSets]. It takes the query parameters fleet, node and since.
const PathLive = "/agent/v1/live"

// LiveSets are the endpoint sets of a fleet's upstreams, for nodes that take them without a
// reload. They stand beside the bundle: a change of them changes no bundle.
type LiveSets struct {
	// Version is the digest of all sets.
	Version string `json:"version"`
	// Since is the version that the rest is the difference to. Empty: these are all sets.
	Since string                  `json:"since,omitempty"`
	Sets  []nginxconf.EndpointSet `json:"sets,omitempty"`
	// Removed are the names of upstreams that are no more.
	Removed []string `json:"removed,omitempty"`
}
