package store

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestBridgeLevels(t *testing.T) {
	var out bytes.Buffer
	closing := false
	z := newZap(slog.New(slog.NewTextHandler(&out, nil)), func() bool { return closing }, func(string) {}).With(zap.String("member", "local"))
	z.Info("etcd tells much")
	z.Error("failed to update storage version", zap.Error(errors.New("missing term information")))
	z.Warn("disk is slow", zap.Int("ms", 7))
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=WARN msg="disk is slow" component=etcd member=local ms=7`) {
		t.Errorf("logged:\n%s", got)
	}
	out.Reset()
	closing = true
	z.Warn("server has stopped; skipping GoAttach")
	z.Error("the disk is broken")
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=ERROR msg="the disk is broken"`) {
		t.Errorf("logged while closing:\n%s", got)
	}
}

func TestFatalEndsTheGoroutineOnly(t *testing.T) {
	for name, giveUp := range map[string]func(*zap.Logger){
		"fatal": func(z *zap.Logger) { z.Fatal("no space", zap.Error(errors.New("disk full"))) },
		"panic": func(z *zap.Logger) { z.Panic("no space", zap.Error(errors.New("disk full"))) },
	} {
		died, ended := make(chan string, 1), make(chan bool)
		z := newZap(slog.New(slog.DiscardHandler), func() bool { return false }, func(m string) { died <- m })
		go func() {
			defer close(ended)
			giveUp(z)
			ended <- true // not reached
		}()
		if m := <-died; m != "no space: disk full" {
			t.Errorf("%s: died of %q", name, m)
		}
		if <-ended {
			t.Errorf("%s returned to its caller", name)
		}
	}
}
