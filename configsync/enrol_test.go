package configsync_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
	"github.com/sluice-gateway/sluice/test/enroltest"
)

// clock is the real one, moved.
type clock struct{ by atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *clock) move(by time.Duration) { c.by.Add(int64(by)) }

// newAuthority is a replica of the control plane's, until the end of the test.
func newAuthority(t *testing.T, s *store.Store, now func() time.Time) *enrol.Authority {
	t.Helper()
	return enroltest.New(t, s, now, logger(t))
}

// secure serves the agents of a world as the binary does; address is empty for any.
func secure(t *testing.T, w *world, address string) *httptest.Server {
	t.Helper()
	next := w.authority.Guard(w.tamper.between(w.controller.Handler()))
	return enroltest.Serve(t, w.authority, address, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Date", w.clock.now().UTC().Format(http.TimeFormat))
		next.ServeHTTP(rw, req)
	}))
}

// tokenFile puts a token for an edge where its agent looks, unless there is one.
func (w *world) tokenFile(e *edge) string {
	w.t.Helper()
	file := filepath.Join(e.Dir, "enrol-token")
	if _, err := os.Stat(file); err != nil {
		w.newToken(e)
	}
	return file
}

// newToken puts another one there.
func (w *world) newToken(e *edge) {
	w.t.Helper()
	text, _, err := w.authority.NewToken(w.t.Context(), "shared", e.name, 0, "test")
	if err == nil {
		err = os.WriteFile(filepath.Join(e.Dir, "enrol-token"), []byte(text+"\n"), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func numbered(s *store.Store) enrol.Numbers { return enrol.Numbers{Ledger: s.Ledger("fleet-numbers")} }

func openStore(t *testing.T) *store.Store { return storetest.OpenTemp(t) }
