package configsync_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent"
	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// heard collects what an agent logs, for readers at any time.
type heard struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.String()
}

// held reads a node's certificate from its state folder.
func held(t *testing.T, e *edge) *x509.Certificate {
	t.Helper()
	file := filepath.Join(e.TreeDir+"-agent", "identity.json")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %s", file, info.Mode())
	}
	b, err := os.ReadFile(file)
	var h struct{ Certificate []byte }
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(h.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// A node lives for 15 weeks: it renews its certificate in time, without a token, and learns of the
// key for bundles that follows. After five weeks without the control plane it needs a token, which
// it finds while it runs.
func TestLongLife(t *testing.T) {
	w := newWorld(t, 1)
	addresses := []string{backend(t, "one"), backend(t, "two")}
	w.serve("", addresses...)
	w.allAre(gateway.NodeInSync)
	e := w.edges[0]
	for week := 3; week <= 15; week += 3 {
		before := held(t, e)
		w.clock.move(21 * 24 * time.Hour)
		if week == 15 {
			newAuthority(t, w.store, w.clock.now) // a replica that starts now rotates the key
		}
		w.serve("", addresses[week%2]) // ends the open request
		w.until(fmt.Sprint("a new certificate in week ", week), func() error {
			if now := held(t, e); now.SerialNumber.Cmp(before.SerialNumber) == 0 || now.Subject.SerialNumber != before.Subject.SerialNumber {
				return fmt.Errorf("serial %s of enrolment %s", now.SerialNumber, now.Subject.SerialNumber)
			}
			return nil
		})
		w.allAre(gateway.NodeInSync)
		w.expectAll("shop.test", 200, []string{"one", "two"}[week%2])
	}
	w.serve("", addresses[0])
	w.allAre(gateway.NodeInSync)

	w.clock.move(35 * 24 * time.Hour)
	before := held(t, e)
	w.serve("", addresses[1])
	time.Sleep(500 * time.Millisecond)
	if now := held(t, e); now.SerialNumber.Cmp(before.SerialNumber) != 0 {
		t.Error("an expired certificate was renewed without a token")
	}
	w.newToken(e)
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")
	if now := held(t, e); now.Subject.SerialNumber == before.Subject.SerialNumber {
		t.Error("the node did not enrol anew")
	}
}

// A revoked node is cut off and keeps serving, and comes back with a new token alone.
func TestRevokedNode(t *testing.T) {
	w := newWorld(t, 2)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)
	if err := w.authority.Revoke(t.Context(), "shared", "edge-1"); err != nil {
		t.Fatal(err)
	}
	w.serve("", two)
	w.until("the other node to go on", func() error {
		_, body, err := get(w.edges[1], "shop.test")
		if err == nil && !strings.Contains(body, "two") {
			err = fmt.Errorf("answered by %q", body)
		}
		return err
	})
	if _, body, err := get(w.edges[0], "shop.test"); err != nil || !strings.Contains(body, "one") {
		t.Errorf("the revoked node answers %q %v", body, err)
	}
	w.newToken(w.edges[0])
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")
}

// An agent whose clock is wrong says so, with both clocks, before and after it is enrolled.
func TestWrongClock(t *testing.T) {
	w := newWorld(t, 0)
	w.serve("", backend(t, "one"))
	other := &edge{Nginx: agenttest.New(t), name: "edge-1"}
	for _, row := range []struct {
		by    time.Duration
		want  string
		works bool
	}{
		{20 * 365 * 24 * time.Hour, "the clocks differ by 175", false},
		{-30*24*time.Hour - time.Minute, "the clocks differ by 720h", false},
		{-30 * 24 * time.Hour, "Set the one that is wrong (NTP); the agent tries again by itself", false},
		{20 * time.Hour, "the clocks of this machine and of the control plane differ", true},
	} {
		log := &heard{}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		cfg := agent.Config{Server: w.server.URL, EnrolTokenFile: w.tokenFile(other), Fleet: "shared", Node: other.name, NginxConf: other.Conf, NginxPrefix: other.Dir,
			TreeDir: other.TreeDir, Listen: []string{other.Address}, Log: slog.New(slog.NewTextHandler(io.MultiWriter(log, t.Output()), nil)),
			Now: func() time.Time { return time.Now().Add(row.by) }}
		go func() { ended <- agent.Run(ctx, cfg) }()
		w.until(row.want, func() error {
			if !strings.Contains(log.String(), row.want) {
				return fmt.Errorf("it says %s", log)
			}
			nodes, err := w.controller.Nodes("shared")
			if row.works && len(nodes) != 1 {
				return fmt.Errorf("%d nodes have reported: %w", len(nodes), err)
			}
			return nil
		})
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
