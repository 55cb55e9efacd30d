package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

func TestUnloadGivesTheDatabaseBack(t *testing.T) {
	// Behind a link, as data directories often are: the kernel knows the real name only.
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat("x", 200_000)
	s := storetest.Open(t, store.Config{DataDir: dir})
	put(t, s, tenant("acme", pad))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = storetest.Open(t, store.Config{DataDir: dir})
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	const most = 1 << 10
	if before := residentKiB(t, real); before < 4*most {
		t.Fatalf("etcd has %d KiB of its database in memory: this test expects it to read all, which is 16 MiB", before)
	}
	if err := s.Unload(); err != nil {
		t.Fatal(err)
	}
	if after := residentKiB(t, real); after > most {
		t.Errorf("%d KiB of the database are in memory, want at most %d", after, most)
	}
	got, err := s.Get(t.Context(), tenant("acme").Ref())
	if tn, ok := got.(*gateway.Tenant); err != nil || !ok || !slices.Contains(tn.Spec.Hosts, pad) {
		t.Errorf("what was stored can not be read any more: %v", err)
	}
	put(t, s, tenant("acme", "later"))
}

// residentKiB is how much of the files below dir is mapped and in memory (proc(5), smaps).
func residentKiB(t *testing.T, dir string) (total int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 5 && !strings.HasSuffix(f[0], ":") {
			inside = strings.HasPrefix(f[len(f)-1], dir+"/")
		} else if inside && f[0] == "Rss:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	return total
}
