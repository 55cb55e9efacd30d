package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
)

// lines is an access log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// has says whether one line has all of the texts.
func (l *lines) has(texts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.b.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		return true
	}
	return false
}

// A stream whose body dribbles in is answered 408, as over HTTP/1.1; the connection's other
// streams go on.
func TestHTTP2SlowBody(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})
	for name, fields := range map[string][]string{
		"small, gathered": {"content-length", "10000"},
		"large, streamed": {"content-length", "1000000"},
		"no length":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			log := &lines{}
			cfg := Config{MinBodyRate: 100_000, RateGrace: 200 * time.Millisecond, AccessLog: log}
			e := start(t, cfg, Listener{}, snap([]string{o.addr}, nil))
			f := e.dialFrames(t, 0)
			f.ask(1, "POST", false, fields...)
			stop := steadily(func() error { return f.WriteData(1, false, []byte("x")) })
			got := f.until(1)
			stop()
			if got.status != "408" || !strings.Contains(string(got.body), "reason: slow_body") {
				t.Errorf("%s, %q", got.status, got.body)
			}
			f.ask(3, "POST", false, "content-length", "5")
			f.must(f.WriteData(3, true, []byte("hello")))
			if got := f.until(3); got.status != "200" {
				t.Errorf("the connection's next stream got %+v", got)
			}
			eventually(t, "it is logged", func() bool { return log.has(`"status":408`, `"reason":"slow_body"`) })
			if fs := e.observed.failures(); len(fs) > 0 {
				t.Errorf("the endpoint is blamed: %v", fs)
			}
		})
	}
}

// A body that is too slow when the answer is on its way ends the exchange with either codec,
// for the same reason, and is no fault of the endpoint.
func TestSlowBodyWithinAnswer(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		answer := http.NewResponseController(w)
		_ = answer.EnableFullDuplex()
		_, _ = io.WriteString(w, "hello")
		_ = answer.Flush()
		_, _ = io.Copy(io.Discard, r.Body)
	})
	log := &lines{}
	cfg := Config{MinBodyRate: 100_000, RateGrace: 200 * time.Millisecond, AccessLog: log}
	e := start(t, cfg, Listener{}, snap([]string{o.addr}, nil))
	logged := func() bool {
		return log.has(`"status":200`, `"bytes":5,`, `"reason":"slow_body"`, `"aborted":true`)
	}
	t.Run("1", func(t *testing.T) {
		c := e.dial(t)
		c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
		stop := steadily(func() error { _, err := c.Write([]byte("x")); return err })
		defer stop()
		if got := c.all(); !strings.Contains(got, "hello") {
			t.Errorf("%q", got)
		}
		eventually(t, "it is logged", logged)
	})
	log.mu.Lock()
	log.b.Reset()
	log.mu.Unlock()
	t.Run("2", func(t *testing.T) {
		f := e.dialFrames(t, 0)
		f.ask(1, "POST", false, "content-length", "1000000")
		stop := steadily(func() error { return f.WriteData(1, false, []byte("x")) })
		defer stop()
		if got := f.until(1); got.status != "200" || string(got.body) != "hello" || !got.reset || got.code == xhttp2.ErrCodeNo {
			t.Errorf("%+v", got)
		}
		eventually(t, "it is logged", logged)
	})
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("the endpoint is blamed: %v", fs)
	}
}

// endless answers with more than any window or socket takes, except on /small.
func endless(w http.ResponseWriter, r *http.Request) {
	if r.Method == "POST" {
		_, _ = io.WriteString(w, "hello")
		return
	}
	_, _ = io.Copy(w, io.LimitReader(zeros{}, 100_000_000))
}

// endpointsFree waits until no request is in flight.
func (e *edge) endpointsFree(t *testing.T) {
	t.Helper()
	eventually(t, "nothing is in flight", func() bool {
		e.apply.Lock()
		defer e.apply.Unlock()
		for _, ep := range e.compiled.endpoints {
			if ep.inFlight.Load() != 0 {
				return false
			}
		}
		return true
	})
}

// nothingInFlight waits until the endpoints are free, and none of them is blamed.
func (e *edge) nothingInFlight(t *testing.T) {
	t.Helper()
	e.endpointsFree(t)
	if fs := e.observed.failures(); len(fs) > 0 {
		t.Errorf("the endpoint is blamed: %v", fs)
	}
}

// A stream whose window the client opens too slowly, or not at all, is reset; the
// connection's other streams go on.
func TestHTTP2SlowStreamReader(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		grant bool
	}{
		"a little at a time": {Config{MinSendRate: 1 << 30, RateGrace: 300 * time.Millisecond}, true},
		"nothing at all":     {Config{WriteTimeout: 300 * time.Millisecond}, false},
		"nothing, any rate":  {Config{WriteTimeout: 300 * time.Millisecond, MinSendRate: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			log := &lines{}
			c.cfg.AccessLog = log
			e := start(t, c.cfg, Listener{}, snap([]string{httpOrigin(t, endless).addr}, nil))
			f := e.dialFrames(t, 0)
			f.must(f.WriteWindowUpdate(0, 1<<30))
			f.ask(1, "GET", true)
			stop := func() {}
			if c.grant {
				stop = steadily(func() error { return f.WriteWindowUpdate(1, 100) })
			}
			got := f.until(1)
			stop()
			if got.status != "200" || !got.reset || got.code != xhttp2.ErrCodeEnhanceYourCalm {
				t.Errorf("%s, %d bytes, %v %v", got.status, len(got.body), got.reset, got.code)
			}
			f.ask(3, "POST", true)
			if got := f.until(3); got.status != "200" || string(got.body) != "hello" {
				t.Errorf("the connection's next stream got %+v", got)
			}
			eventually(t, "it is logged", func() bool {
				return log.has(`"status":200`, `"aborted":true`) && !log.has(`"aborted":true`, `"bytes":0`)
			})
			e.nothingInFlight(t)
		})
	}
}

// A connection whose socket takes too little, or nothing, is closed with all of its streams.
func TestHTTP2SlowSocket(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		take int // bytes, every 10 ms
	}{
		"a little at a time": {Config{MinSendRate: 1 << 30, RateGrace: 300 * time.Millisecond}, 100},
		"nothing at all":     {Config{WriteTimeout: 300 * time.Millisecond}, 0},
		"nothing, any rate":  {Config{WriteTimeout: 300 * time.Millisecond, MinSendRate: -1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, c.cfg, Listener{}, snap([]string{httpOrigin(t, endless).addr}, nil))
			l := e.theListener(t)
			f := e.dialFrames(t, 16<<10, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 30})
			f.must(f.WriteWindowUpdate(0, 1<<30))
			for i := range uint32(3) {
				f.ask(1+2*i, "GET", true)
			}
			eventually(t, "an answer is on its way", func() bool {
				_, active := e.conns.count(l)
				return active == 1
			})
			if c.take > 0 {
				defer steadily(func() error { _, err := io.CopyN(io.Discard, f.Conn, int64(c.take)); return err })()
			}
			eventually(t, "the connection is closed", func() bool { return l.open.Load() == 0 })
			e.nothingInFlight(t)
		})
	}
}

// As long as the socket goes on taking, its streams are served, also when what is gathered for
// it takes longer to go than the time in which a peer may take nothing.
func TestHTTP2SlowSocketThatTakes(t *testing.T) {
	log := &lines{}
	cfg := Config{WriteTimeout: time.Second, MinSendRate: 1000, AccessLog: log}
	e := start(t, cfg, Listener{}, snap([]string{httpOrigin(t, endless).addr}, nil))
	f := e.dialFrames(t, 16<<10, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 30})
	f.must(f.WriteWindowUpdate(0, 1<<30))
	for i := range uint32(3) {
		f.ask(1+2*i, "GET", true)
	}
	stop := steadily(func() error { _, err := io.CopyN(io.Discard, f.Conn, 8000); return err })
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if log.has(`"aborted":true`) {
			t.Error("a stream of a socket that takes 800 kB/s was given up")
			break
		}
	}
	stop()
}

// A stream that takes its answer by and by is served to the end: what counts is the average.
func TestHTTP2SteadyReader(t *testing.T) {
	const size = 300_000
	o := httpOrigin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) })
	e := start(t, Config{MinSendRate: 2000, RateGrace: time.Millisecond}, Listener{}, snap([]string{o.addr}, nil))
	f := e.dialFrames(t, 0)
	f.must(f.WriteWindowUpdate(0, 1<<30))
	f.ask(1, "GET", true)
	stop := steadily(func() error { return f.WriteWindowUpdate(1, 4000) })
	defer stop()
	if got := f.until(1); got.status != "200" || got.reset || len(got.body) != size {
		t.Errorf("%s, %d bytes, %v %v", got.status, len(got.body), got.reset, got.code)
	}
}
