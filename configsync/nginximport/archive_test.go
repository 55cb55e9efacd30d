package nginximport

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

// TestArchiveOfFullMode: all files of such a node are Sluice's own, and the one that people wrote
// is kept beside them.
func TestArchiveOfFullMode(t *testing.T) {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	for _, name := range []string{"tree/nginx.conf", "tree/servers/a.conf", "root/etc/nginx/mime.types"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("#")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Archive(&b, "/etc/nginx/nginx.conf", "/etc/nginx/sluice/current")
	if want := "sluice fleet import --from /etc/nginx/sluice/nginx.conf.kept on the node"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestNoteWithoutLine(t *testing.T) {
	if got := (Note{Kind: Differs, File: "/c/f", Text: "include", Why: "so"}).String(); got != "/c/f: differs: include: so." {
		t.Errorf("got %s", got)
	}
}
