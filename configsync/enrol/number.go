package enrol

import (
	"context"
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// Numbers counts the bundles of each fleet, in a place of the store that all replicas share: each
// bundle that is given out gets a higher number than all before.
type Numbers struct{ Ledger Ledger }

// Number gives the next number of a fleet.
func (n Numbers) Number(ctx context.Context, fleet, _ string) (protocol.Numbering, error) {
	for {
		text, revision, err := n.Ledger.Get(ctx, fleet)
		if err != nil {
			return protocol.Numbering{}, err
		}
		last := uint64(0)
		if text != nil {
			if last, err = strconv.ParseUint(string(text), 10, 64); err != nil {
				return protocol.Numbering{}, fmt.Errorf("read the number of the last bundle of fleet %q: %w", fleet, err)
			}
		}
		ok, err := n.Ledger.Swap(ctx, fleet, strconv.AppendUint(nil, last+1, 10), revision)
		if err != nil {
			return protocol.Numbering{}, err
		}
		if ok { // else another replica was faster
			return protocol.Numbering{Number: last + 1, Previous: last}, nil
		}
	}
}
