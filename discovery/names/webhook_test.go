package names

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// api is somebody's API for names.
type api struct {
	mu    sync.Mutex
	calls []string
	keys  []string
	codes []int // of the next answers; then 200
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var body Call
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	a.calls = append(a.calls, strings.TrimSpace(fmt.Sprintf("%s %s %s %v %d", r.Method, r.URL, body.Host, body.Addresses, body.TTLSeconds)))
	a.keys = append(a.keys, r.Header.Get("Idempotency-Key"))
	if r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if len(a.codes) > 0 {
		if a.codes[0]/100 == 3 {
			w.Header().Set("Location", "http://192.0.2.1/elsewhere")
		}
		w.WriteHeader(a.codes[0])
		a.codes = a.codes[1:]
	}
}

func hook(t *testing.T, codes ...int) (*api, *Webhook) {
	t.Helper()
	a := &api{codes: codes}
	s := httptest.NewServer(a)
	t.Cleanup(func() {
		s.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections() //nolint:forcetypeassert // net/http's own
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return a, &Webhook{URL: s.URL + "/names", TokenFile: file, Owner: "edge"}
}

// One call on create, also when it fails twice on the way: then with one key; none on change
// and restart; one on delete.
func TestOneCallEach(t *testing.T) {
	a, w := hook(t, 503, 200)
	cfg := defaults(t, w, &memory{})
	k, stop := keep(t, cfg)
	k.Apply(snapshot("api"))
	until(t, k, "announced", func(s Status) bool { return s.Announced == 1 })
	stop()
	k, _ = keep(t, cfg)
	k.Apply(snapshot("api"))
	until(t, k, "announced", func(s Status) bool { return s.Announced == 1 })
	k.Apply(snapshot())
	until(t, k, "withdrawn", func(s Status) bool { return s == Status{Leading: true} })
	post := "POST /names api.shop.svc.example.test [192.0.2.1 2001:db8::1] 60"
	want := []string{post, post, "DELETE /names/api.shop.svc.example.test  [] 0"}
	if fmt.Sprint(a.calls) != fmt.Sprint(want) {
		t.Errorf("calls %q, want %q", a.calls, want)
	}
	if len(a.keys) != 3 || a.keys[0] == "" || a.keys[0] != a.keys[1] || a.keys[1] == a.keys[2] {
		t.Errorf("keys %q", a.keys)
	}
}

// What each answer means.
func TestAnswers(t *testing.T) {
	for code, want := range map[int]error{200: nil, 201: nil, 204: nil, 409: ErrTaken, 400: ErrRejected, 403: ErrRejected, 404: ErrRejected, 302: ErrRejected} {
		_, w := hook(t, code)
		if err := w.Announce(t.Context(), Record{Host: "a.test"}); !errors.Is(err, want) {
			t.Errorf("%d to a POST: %v, want %v", code, err, want)
		}
	}
	for _, code := range []int{408, 425, 429, 500, 503} {
		_, w := hook(t, code)
		if err := w.Announce(t.Context(), Record{Host: "a.test"}); err == nil || errors.Is(err, ErrRejected) || errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), fmt.Sprint(code)) {
			t.Errorf("%d to a POST: %v, want an error that is tried again", code, err)
		}
	}
	for _, code := range []int{200, 404, 410} {
		_, w := hook(t, code)
		if err := w.Withdraw(t.Context(), Record{Host: "a.test"}); err != nil {
			t.Errorf("%d to a DELETE: %v", code, err)
		}
	}
	_, w := hook(t)
	w.TokenFile += "-none"
	if err := w.Announce(t.Context(), Record{Host: "a.test"}); err == nil || !strings.Contains(err.Error(), "read the webhook's token") {
		t.Errorf("no token: %v", err)
	}
}
