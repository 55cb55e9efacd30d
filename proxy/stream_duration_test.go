package proxy

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// An answer that an HTTP/2 endpoint takes its time for lasts until its end, however short it is.
func TestHTTP2AnswerLastsToItsEnd(t *testing.T) {
	const rest = 300 * time.Millisecond
	addr := h2cOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hel")
		w.(http.Flusher).Flush()
		time.Sleep(rest)
		_, _ = io.WriteString(w, "lo")
	})
	e := start(t, Config{}, Listener{}, snap([]string{addr}, speakH2C))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	if resp, body := e.dial(t).get("/"); resp.StatusCode != 200 || body != "hello" {
		t.Fatalf("%d, %q", resp.StatusCode, body)
	}
	var lasted float64
	eventually(t, "the request is counted", func() bool {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "sluice_request_seconds" && len(f.GetMetric()) > 0 {
				h := f.GetMetric()[0].GetHistogram()
				lasted = h.GetSampleSum()
				return h.GetSampleCount() > 0
			}
		}
		return false
	})
	if lasted < rest.Seconds()*0.9 {
		t.Errorf("it lasted %v s, as it is told", lasted)
	}
}
