package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Unload gives memory back that only the start of an embedded etcd needed. etcd has its whole
// database in memory then, with the space that is kept free in it (32 MB for 10,000 hosts), and reads
// it once; later reads bring in the few pages that they need. On error all goes on as before.
func (s *Store) Unload() error {
	if err := s.engine.unload(); err != nil {
		return fmt.Errorf("give back the memory of the database: %w", err)
	}
	return nil
}

func (e *embedded) unload() error {
	// Resolved, as the kernel names it.
	file, err := filepath.EvalSymlinks(filepath.Join(e.etcd.Config().Dir, "member", "snap", "db"))
	if err != nil {
		return err
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(maps)) {
		if area, ok := strings.CutSuffix(line, " "+file+"\n"); ok {
			return pageOut(area)
		}
	}
	return fmt.Errorf("/proc/self/maps does not tell where %s is", file)
}

// pageOut writes back and frees an area of memory, as a line of /proc/self/maps begins with (proc(5)). See
// MADV_PAGEOUT of madvise(2), which Linux has from 5.4 on.
func pageOut(area string) error {
	var from, to uintptr
	if _, err := fmt.Sscanf(area, "%x-%x ", &from, &to); err != nil {
		return fmt.Errorf("/proc/self/maps says %q: %w", area, err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_PAGEOUT); errno != 0 {
		return os.NewSyscallError("madvise", errno)
	}
	return nil
}
