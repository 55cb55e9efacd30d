package store

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// harmless messages of a healthy etcd look like trouble; they are logged as debug.
var harmless = []string{
	"Running http and grpc server on single port",
	"simple token is not cryptographically signed",
	"Failed to detect schema version",
	"failed to update storage version", // on the first start, before the first snapshot
	"setting up serving from embedded etcd failed",
	"cannot detect storage schema version",
	"apply request took too long", // a busy disk; the caller's time-out says it if it matters
	"waiting for ReadIndex response took too long, retrying",
	"cannot campaign at term",          // while the log is replayed after a crash
	"retrying of unary invoker failed", // the caller gets the error
}

// bridge is the zap core that hands etcd's log to slog. etcd tells some 50 things about
// itself at each start, so its info is our debug.
type bridge struct {
	log     *slog.Logger
	attrs   []slog.Attr
	closing func() bool
}

// newZap returns a logger for etcd. While closing, its warnings are logged as debug: what it
// had under way is cancelled then, and it says so in many words ("failed to update cluster
// version", "server has stopped; skipping GoAttach"). died is called instead of ending the
// process when etcd gives up, for example because the disk is full: the proxy goes on without
// the store.
func newZap(log *slog.Logger, closing func() bool, died func(message string)) *zap.Logger {
	hook := deathHook(died)
	return zap.New(&bridge{log: log.With("component", "etcd"), closing: closing}, zap.WithFatalHook(hook), zap.WithPanicHook(hook))
}

func (b *bridge) Enabled(l zapcore.Level) bool {
	return b.log.Enabled(context.Background(), slogLevel(l, ""))
}

func (b *bridge) With(fields []zapcore.Field) zapcore.Core {
	return &bridge{log: b.log, attrs: append(slices.Clip(b.attrs), slogAttrs(fields)...), closing: b.closing}
}

func (b *bridge) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return c.AddCore(e, b)
	}
	return c
}

func (b *bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := slogLevel(e.Level, e.Message)
	if level == slog.LevelWarn && b.closing() {
		level = slog.LevelDebug
	}
	if !b.log.Enabled(context.Background(), level) {
		return nil
	}
	b.log.LogAttrs(context.Background(), level, e.Message, append(slices.Clip(b.attrs), slogAttrs(fields)...)...)
	return nil
}

func (b *bridge) Sync() error { return nil }

func slogLevel(l zapcore.Level, message string) slog.Level {
	if message != "" && slices.ContainsFunc(harmless, func(h string) bool { return strings.Contains(message, h) }) {
		return slog.LevelDebug
	}
	switch {
	case l >= zapcore.ErrorLevel:
		return slog.LevelError
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func slogAttrs(fields []zapcore.Field) []slog.Attr {
	enc := zapcore.NewMapObjectEncoder()
	attrs := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(enc)
		if v, ok := enc.Fields[f.Key]; ok {
			attrs = append(attrs, slog.Any(f.Key, v))
		}
	}
	return attrs
}

// deathHook ends the goroutine of etcd that gave up, not the process.
type deathHook func(message string)

func (h deathHook) OnWrite(e *zapcore.CheckedEntry, fields []zapcore.Field) {
	message := e.Message
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			message += ": " + err.Error()
		}
	}
	h(message)
	runtime.Goexit()
}
