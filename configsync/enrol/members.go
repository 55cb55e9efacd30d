package enrol

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// Member is a node that has enrolled.
type Member struct {
	protocol.Peer
	// Revoked says that its certificates are refused.
	Revoked bool
}

// Members lists the nodes of all fleets that have enrolled and were not forgotten, in no order.
func (a *Authority) Members(ctx context.Context) ([]Member, error) {
	if err := a.Wait(ctx); err != nil {
		return nil, err
	}
	entries, err := a.cfg.Nodes.Entries(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the nodes that have enrolled: %w", err)
	}
	list := make([]Member, 0, len(entries))
	refused := a.refused.Load().upTo
	for name, text := range entries {
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("read the record of node %s: %w", name, err)
		}
		fleet, node, _ := strings.Cut(name, "/")
		list = append(list, Member{Peer: protocol.Peer{Fleet: fleet, Node: node}, Revoked: r.Enrolment <= refused[name]})
	}
	return list, nil
}
