package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// An idle TLS connection costs what is in the figure: memory of the proxy's process, without
// its client's, after each connection has served requests of different sizes.
func TestIdleTLSConnections(t *testing.T) {
	const connections = 1000
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleTLSHelper$")
	cmd.Env = append(os.Environ(), "SLUICE_IDLE_TLS_ORIGIN="+o.addr)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	var addr string
	if _, err := fmt.Fscan(out, &addr); err != nil {
		t.Fatal(err)
	}
	measure := func() (kib int) {
		if _, err := io.WriteString(in, "measure\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscan(out, &kib); err != nil {
			t.Fatal(err)
		}
		return kib
	}
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "a.example.com", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	open := func(n int, request string) {
		for range n {
			c, err := tls.Dial("tcp", addr, cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 64)); err != nil {
				t.Fatal(err)
			}
		}
	}
	open(50, "GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n") // pools and tables are there
	before := measure()
	open(connections, "GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
	each := float64(measure()-before) / connections
	fmt.Printf("figure idle_tls_kib %.1f KiB goal 32\n", each)
	if each > 32 {
		t.Errorf("an idle TLS connection costs %.1f KiB, the goal is 32", each)
	}
	large := strings.Repeat("x", 60<<10)
	before = measure()
	open(connections/4, "POST / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: "+strconv.Itoa(len(large))+"\r\n\r\n"+large)
	if each = float64(measure()-before) / (connections / 4); each > 32 {
		t.Errorf("an idle TLS connection costs %.1f KiB after an upload", each)
	}
	t.Logf("after an upload: %.1f KiB", each)
}

// TestIdleTLSHelper is the proxy of the test above in a process of its own. Run by itself it
// has nothing to do.
func TestIdleTLSHelper(t *testing.T) {
	addr := os.Getenv("SLUICE_IDLE_TLS_ORIGIN")
	if addr == "" {
		return
	}
	s := &secured{start(t, Config{}, Listener{TLS: &TLS{}}, snap([]string{addr}, nil)), certtest.NewCA(t, "ca", time.Now())}
	s.use(s.cert(t, "a", nil, "a.example.com"))
	fmt.Println(s.addr)
	for {
		var word string
		if _, err := fmt.Fscan(os.Stdin, &word); err != nil {
			os.Exit(0)
		}
		fmt.Println(heldKiB())
	}
}

// heldKiB is the memory of heap and stacks after stacks have had the time to shrink.
func heldKiB() int {
	for range 6 {
		runtime.GC()
	}
	time.Sleep(50 * time.Millisecond)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse+m.StackInuse) >> 10
}
