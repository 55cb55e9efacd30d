package store

import "context"

// Mode says where etcd runs.
type Mode string

// The modes of a store.
const (
	ModeEmbedded Mode = "embedded"
	ModeCluster  Mode = "cluster"
)

// Status is how the store is doing. Sizes are in bytes; of a cluster, those of its largest
// member.
type Status struct {
	Mode      Mode     `json:"mode"`
	Endpoints []string `json:"endpoints,omitempty"` // of a cluster
	Revision  int64    `json:"revision"`
	DBSize    int64    `json:"dbSize"` // on disk; etcd compares it with the quota
	InUse     int64    `json:"inUse"`  // what remains after defragmenting
	Quota     int64    `json:"quota,omitempty"`
	// Repairs of a full quota since the start of the process.
	Repairs int64    `json:"repairs"`
	Alarms  []string `json:"alarms,omitempty"` // in etcd's words
	Members []Member `json:"members,omitempty"`
	// Err is set when no member answers, or the store is closed.
	Err error `json:"-"`
}

// Member is one etcd server.
type Member struct {
	Name     string `json:"name,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Leader   bool   `json:"leader"`
	Revision int64  `json:"revision"`
	DBSize   int64  `json:"dbSize"`
	InUse    int64  `json:"inUse"`
	Err      error  `json:"-"` // why it does not answer

	id     uint64
	quota  int64
	alarms []string
}

// Status asks etcd, at most two seconds long; what it cannot find out is in its Err fields.
func (s *Store) Status(ctx context.Context) Status {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	st := s.engine.status(ctx)
	if err := s.gate.err(); err != nil {
		st.Err = err
	}
	st.Repairs = s.repair.count.Load()
	return st
}
