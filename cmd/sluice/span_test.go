package main

import (
	"strings"
	"testing"
	"time"
)

// A drain of a wrong length must not become one without an end.
func TestSpan(t *testing.T) {
	for text, want := range map[string]string{"-2h": "more than zero", "0s": "more than zero", "2": "write 90s", "2d": "write 90s", "": "write 90s"} {
		s := span(time.Minute)
		if err := s.Set(text); err == nil || !strings.Contains(err.Error(), want) || time.Duration(s) != time.Minute {
			t.Errorf("%q: %v, %s; want %q", text, err, s.String(), want)
		}
	}
	for _, cmd := range pinCommands()[:3] {
		if err := cmd.ParseFlags([]string{"--for", "-2h"}); err == nil {
			t.Errorf("%s --for -2h is taken", cmd.Name())
		}
		if err := cmd.ParseFlags([]string{"--for", "2h"}); err != nil {
			t.Errorf("%s: %v", cmd.Name(), err)
		}
		if d, err := cmd.Flags().GetDuration("for"); err != nil || d != 2*time.Hour {
			t.Errorf("%s: %v, %v", cmd.Name(), d, err)
		}
	}
}
