package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// enrolToken makes a token for m, unless it is enrolled.
func (s *instance) enrolToken(m mirror) string {
	s.t.Helper()
	if _, err := os.Stat(filepath.Join(m.TreeDir+"-agent", "identity.json")); err == nil {
		return ""
	}
	return s.token("shared", "--node", m.name)
}

// token makes a token as people do.
func (s *instance) token(args ...string) string {
	s.t.Helper()
	out, err := s.command(append([]string{"fleet", "token"}, args...)...)
	if err != nil {
		s.t.Fatalf("sluice fleet token: %v %s", err, out)
	}
	for line := range strings.Lines(out) { // what is said to people is around it
		if strings.HasPrefix(line, "sluice-enrol.") {
			return strings.TrimSpace(line)
		}
	}
	s.t.Fatalf("sluice fleet token prints no token: %s", out)
	return ""
}
