package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// noncePlace is where index.html wants the nonce of its Content-Security-Policy. The UI
// reads it there and puts it on the style elements that its component library makes.
const noncePlace = "__CSP_NONCE__"

// policy lets a page load from this server only. Inline styles need the nonce, style
// attributes are refused; there is no inline script at all.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; style-src-attr 'none'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// notBuilt is shown when the binary was made without the UI.
const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice</title>
<h1>Sluice is running, without its web UI</h1>
<p>This binary was built before the UI was. To have it, install Node 20 or newer and run:</p>
<pre>make ui build</pre>
<p>The API is at <code>/api/v1</code>, and the command line works as ever: <code>sluice status</code>.</p>
</html>
`

// ui serves the built web UI. It is immutable.
type ui struct {
	files fs.FS
	index []byte
	built bool
}

func newUI(files fs.FS) (http.Handler, error) {
	u := &ui{files: files, index: []byte(notBuilt)}
	b, err := fs.ReadFile(files, "index.html")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return u, nil
	case err != nil:
		return nil, fmt.Errorf("read index.html: %w", err)
	}
	if !bytes.Contains(b, []byte(noncePlace)) {
		return nil, fmt.Errorf("index.html has no place %s for the nonce: its styles would be refused", noncePlace)
	}
	u.index, u.built = b, true
	return u, nil
}

// ServeHTTP serves a file, or index.html for the pages that the UI routes itself: paths
// whose last element has no extension.
func (u *ui) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the UI is read only", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" || name == "index.html" {
		u.page(w)
		return
	}
	info, err := fs.Stat(u.files, name)
	switch {
	case err == nil && info.Mode().IsRegular() && !strings.HasPrefix(path.Base(name), "."):
		u.file(w, r, name)
	case path.Ext(name) == "" && !strings.HasPrefix(name, "assets/"):
		u.page(w)
	default:
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
	}
}

// page sends index.html with a nonce of its own, so it must not be kept anywhere.
func (u *ui) page(w http.ResponseWriter) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	nonce := base64.RawStdEncoding.EncodeToString(raw)
	h := w.Header()
	h.Set("Content-Security-Policy", fmt.Sprintf(policy, nonce))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if !u.built {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// A client that has gone away cannot be told more.
	_, _ = w.Write(bytes.ReplaceAll(u.index, []byte(noncePlace), []byte(nonce)))
}

// file sends a file of the build. Names below assets/ carry a hash of their content.
func (u *ui) file(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, u.files, name)
}
