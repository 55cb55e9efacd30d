package hardening

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

const gib = 1 << 30

// A body of 1 GiB passes in either direction and framing, and takes next to no memory.
func TestGibBodies(t *testing.T) {
	p := startProcess(t, httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/down":
			w.Header().Set("Content-Length", fmt.Sprint(gib))
			_, _ = io.CopyBuffer(w, onlyReader{io.LimitReader(zeros{}, gib)}, make([]byte, 1<<20))
		case "/down-chunked":
			_, _ = io.CopyBuffer(onlyWriter{w}, onlyReader{io.LimitReader(zeros{}, gib)}, make([]byte, 1<<20))
		default:
			_, _ = fmt.Fprint(w, got)
		}
	}))
	most := 0.0
	for _, path := range []string{"/up", "/up-chunked", "/down", "/down-chunked"} {
		before, stop, begin := p.rss(), p.peak(), time.Now()
		if err := p.transfer(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		grown := stop() - before
		t.Logf("%s: %.1f MB more, %v", path, grown, time.Since(begin))
		most = max(most, grown)
	}
	fmt.Printf("figure gib_rss_mb %.1f MB goal 32\n", most)
	if most > 64 {
		t.Errorf("%.1f MB for a body of 1 GiB", most)
	}
}

// transfer sends a body of 1 GiB to a path that begins with /up, and gets one from others.
func (p *process) transfer(path string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, WriteBufferSize: 256 << 10}, Timeout: 5 * time.Minute}
	up := strings.HasPrefix(path, "/up")
	method, body := http.MethodGet, io.Reader(nil)
	if up {
		method, body = http.MethodPost, io.LimitReader(zeros{}, gib)
	}
	req, err := http.NewRequest(method, "http://"+p.addr+path, body)
	if err != nil {
		return err
	}
	req.Host = "shop.test"
	if path == "/up" {
		req.ContentLength = gib
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	got := int64(0)
	if up {
		_, err = fmt.Fscan(resp.Body, &got)
	} else {
		got, err = io.CopyBuffer(onlyWriter{io.Discard}, resp.Body, make([]byte, 1<<20))
	}
	if err == nil && (resp.StatusCode != 200 || got != gib) {
		err = fmt.Errorf("status %d, %d bytes", resp.StatusCode, got)
	}
	return err
}

// onlyReader and onlyWriter hide other methods, so that the copy goes through its buffer.
type onlyReader struct{ io.Reader }

type onlyWriter struct{ io.Writer }
