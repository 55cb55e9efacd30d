package nginxconf

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgreesWithNginx compares what we accept with what nginx accepts, on texts made of the
// pieces that matter. Inside "types" nginx takes any words, but no blocks, so nothing but
// the reading of words decides.
func TestAgreesWithNginx(t *testing.T) {
	pieces := []string{"a", "b", " ", " ", ";", ";", "\"", "'", "\\", "#", "\n", "{", "}", "$", "${", "\t", "x y", "a;", "\"q\"", "'q'", ")", "\r\n"}
	random := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for range 600 {
		var b strings.Builder
		for range 1 + random.IntN(9) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		text := b.String()
		c, err := Parse("x", text)
		ours := err == nil
		if ours {
			for _, d := range c.Directives {
				ours = ours && d.Block == nil
			}
		}
		theirs, message := nginxReads(t, text)
		if ours != theirs {
			t.Errorf("%q: we say %v (%v), nginx says %v: %s", text, ours, err, theirs, message)
		}
		if theirs {
			accepted++
		} else {
			refused++
		}
	}
	if accepted < 50 || refused < 50 {
		t.Errorf("%d accepted and %d refused are too few to mean anything", accepted, refused)
	}
}

func nginxReads(t *testing.T, text string) (bool, string) {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%stypes { include %s/text; }\n}\n", dir, tempPaths(dir), dir)
	for name, data := range map[string]string{"nginx.conf": conf, "text": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("/usr/sbin/nginx", "-t", "-q", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir).CombinedOutput()
	return err == nil, string(out)
}
