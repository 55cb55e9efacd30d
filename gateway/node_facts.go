package gateway

import (
	"fmt"
	"slices"
)

// longestFact is well below the 4 KiB that nginx takes for a word.
const longestFact = 1024

// Check refuses facts that cannot be a node's: what they say is rendered, and they come over
// the network. The error is an [ErrInvalid].
func (f *NodeFacts) Check() error {
	texts := slices.Concat(f.Modules, f.Listen, f.ListenTLS, []string{f.NginxVersion, f.ConfPath, f.TreePath, f.DigestListen, f.TrustedCA, f.Outcomes, f.AccessLog})
	if f.Main != nil {
		for _, list := range [][][]string{f.Main.Main, f.Main.Events, f.Main.HTTP} {
			texts = append(texts, slices.Concat(list...)...)
		}
	}
	for _, s := range texts {
		if len(s) > longestFact {
			return fmt.Errorf("the node's facts hold a text of %d bytes that begins with %.20q: %w: at most %d bytes", len(s), s, ErrInvalid, longestFact)
		}
	}
	return nil
}
