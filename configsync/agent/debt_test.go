package agent

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// slowly asks for a host and keeps the answer waiting in the worker of now.
func (f *fleet) slowly(host string, arrived <-chan struct{}) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.Address)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
		f.t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-time.After(patience):
		f.t.Fatal("the request does not arrive")
	}
}

// slowBackend holds requests for "/" until the test ends or release is closed.
func slowBackend(t *testing.T) (address string, arrived chan struct{}, release chan struct{}) {
	arrived, release = make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), arrived, release
}

// TestDebt: workers that drain are counted, stretch the budget when they are many, and are
// forgotten when they are gone.
func TestDebt(t *testing.T) {
	f := newFleet(t)
	var arrived, release chan struct{}
	f.endpoint, arrived, release = slowBackend(t)
	f.run("", patience)
	running := func(n gateway.Node) error {
		if n.Running != n.Desired {
			return fmt.Errorf("it runs %q of %q", n.Running, n.Desired)
		}
		return nil
	}
	for i := range 3 {
		host := f.want()
		f.becomes(gateway.NodeInSync, "", func(n gateway.Node) error {
			if n.DrainingWorkers != i || n.OldestDraining.IsZero() != (i == 0) || n.ReloadEvery != 0 {
				return fmt.Errorf("load: %+v, want %d draining", n.NodeLoad, i)
			}
			return running(n)
		})
		f.slowly(host, arrived)
	}
	f.want()
	f.becomes(gateway.NodeInSync, "", func(n gateway.Node) error {
		if n.DrainingWorkers != 3 || n.ReloadEvery.Std() != 200*time.Millisecond {
			return fmt.Errorf("load: %+v", n.NodeLoad)
		}
		return running(n)
	})
	close(release)
	f.becomes(gateway.NodeInSync, "", func(n gateway.Node) error {
		if n.DrainingWorkers != 0 || n.ReloadEvery != 0 || !n.OldestDraining.IsZero() {
			return fmt.Errorf("load: %+v", n.NodeLoad)
		}
		return nil
	})
}

// TestShutdownTimeout: in mode full the fleet may bound how long workers drain.
func TestShutdownTimeout(t *testing.T) {
	f := newFleet(t)
	var arrived chan struct{}
	f.endpoint, arrived, _ = slowBackend(t)
	f.mode = gateway.FleetModeFull
	host := f.want()
	f.run("", patience)
	f.becomes(gateway.NodeInSync, "", func(n gateway.Node) error {
		if n.Running != n.Desired {
			return fmt.Errorf("it runs %q", n.Running)
		}
		return nil
	})
	f.slowly(host, arrived)
	f.want()
	f.becomes(gateway.NodeInSync, "", func(n gateway.Node) error {
		if n.DrainingWorkers != 1 {
			return fmt.Errorf("%d draining", n.DrainingWorkers)
		}
		return nil
	})
	start := time.Now()
	f.becomes(gateway.NodeInSync, "", func(n gateway.Node) error {
		if n.DrainingWorkers != 0 {
			return fmt.Errorf("%d draining", n.DrainingWorkers)
		}
		return nil
	})
	t.Logf("drained by force after %s", time.Since(start))
}
