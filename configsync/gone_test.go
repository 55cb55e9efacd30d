package configsync_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestTreeRemovedByHand: nginx's include of a folder that is gone finds no files, which nginx
// does not mind, so its next start would serve nothing. The tree comes back, whether or not the
// agent ran when it went.
func TestTreeRemovedByHand(t *testing.T) {
	w := newWorld(t, 1)
	w.serve("", backend(t, "one"))
	w.allAre(gateway.NodeInSync)
	e := w.edges[0]
	link := filepath.Join(e.TreeDir, "current")
	for _, running := range []bool{true, false} {
		if !running {
			e.stop()
		}
		if err := os.RemoveAll(filepath.Join(e.TreeDir, "trees")); err != nil {
			t.Fatal(err)
		}
		if !running {
			w.startAgent(e)
		}
		w.until("the tree to be back", func() error {
			_, err := os.Stat(filepath.Join(link, "servers", "acme.shop.test.conf"))
			if err != nil {
				return fmt.Errorf("agent was running: %v: %w", running, err)
			}
			return nil
		})
		w.allAre(gateway.NodeInSync)
		e.Stop()
		e.Start(t)
		w.expectAll("shop.test", 200, "one")
	}
}
