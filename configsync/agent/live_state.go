package agent

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// note keeps what came of it. A socket that should answer and does not for a while makes the
// node static.
func (l *live) note(version string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.inNginx, l.silent = version, time.Time{}
		return
	}
	switch now := time.Now(); {
	case !l.expected || l.failure != "":
	case l.silent.IsZero():
		l.silent = now
	case now.Sub(l.silent) >= l.cfg.liveTimeout:
		l.failure = err.Error()
		l.cfg.Log.Error("nginx does not take endpoint sets: they go into its files from now on", "error", err)
	}
}

// fail makes the node static until nginx is started anew. The first reason stays.
func (l *live) fail(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = cmp.Or(l.failure, why)
}

func (l *live) failed() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

func (l *live) forgive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure, l.silent = "", time.Time{}
}

// version is that of the sets that nginx has confirmed.
func (l *live) version() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inNginx
}

// own gives the folder to whoever runs nginx's master, which makes the socket in it.
func (l *live) own(master int) {
	info, err := os.Stat(fmt.Sprintf("/proc/%d", master))
	if err != nil || os.Getuid() != 0 {
		return
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = os.Chown(filepath.Dir(l.file), int(owner.Uid), int(owner.Gid)) // nginx says so in its own words
	}
}
