package agent

import (
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// enoughRoom is a change of the free bytes that is worth a try.
const enoughRoom = 64 << 10

func full(f *gateway.ApplyFailure) bool {
	return f != nil && strings.HasPrefix(f.Message, diskFullMessage)
}

// retryWithRoom tries a bundle again as soon as there is more room for it than when the disk
// was full, rather than when the back-off ends.
func (a *agent) retryWithRoom() {
	if !full(a.failed) {
		return
	}
	// One by one: on a disk that others share, what they take would hide what became free.
	for i, now := range a.room() {
		if now > a.roomThen[i]+enoughRoom {
			a.roomThen, a.retryAt = a.room(), time.Now()
			return
		}
	}
}

// room is what is free where bundles are staged and checked.
func (a *agent) room() [2]uint64 {
	return [2]uint64{freeBytes(a.disk.root), freeBytes(filepath.Dir(a.nginx.conf))}
}

func freeBytes(dir string) uint64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
