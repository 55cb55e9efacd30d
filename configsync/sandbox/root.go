package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// newRoot makes a root file system out of memory, with the binds and the files in it, and
// leaves the machine's own behind.
func newRoot(s *spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leave the machine's mounts: %w", err)
	}
	base, err := mountPoint(s.Binds)
	if err != nil {
		return err
	}
	options := fmt.Sprintf("mode=755,size=%d,nr_inodes=%d", s.size()*2+(8<<20), 2*len(s.Files)+4096)
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount a root of its own: %w", err)
	}
	for _, path := range s.Binds {
		if err := bind(path, base); err != nil {
			return fmt.Errorf("show %s to nginx: %w", path, err)
		}
	}
	if err := writeFiles(filepath.Join(base, s.Dir), s.Files); err != nil {
		return err
	}
	temp := filepath.Join(base, s.Temp)
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", temp, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, fmt.Sprintf("mode=1777,size=%d,nr_inodes=4096", 2*s.Limits.FileSize)); err != nil {
		return fmt.Errorf("mount a folder for temporary files: %w", err)
	}
	return pivot(base)
}

// mountPoint is a folder of the machine to cover with the new root. It must not hide what
// is to be bound.
func mountPoint(binds []string) (string, error) {
	for _, dir := range []string{"/tmp", "/var/tmp", "/mnt", "/run", "/srv", "/home"} {
		hides := func(path string) bool { return strings.HasPrefix(path, dir+"/") }
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !slices.ContainsFunc(binds, hides) {
			return dir, nil
		}
	}
	return "", errors.New("no folder to make a root in: create /tmp")
}

// bind shows a file or a folder below base, read-only.
func bind(path, base string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	target := filepath.Join(base, path)
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(target), 0o755); err == nil {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(path, target, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(target, &fs); err != nil {
		return err
	}
	// A user namespace may add restrictions to a mount and take none away, so those that it
	// has are repeated. The flags of statfs and mount are the same numbers for these.
	kept := uintptr(fs.Flags) & (unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	if fs.Flags&unix.ST_RELATIME != 0 {
		kept |= unix.MS_RELATIME
	}
	return unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|kept, "")
}

// pivot makes base the root and lets the old one go.
func pivot(base string) error {
	if err := unix.Chdir(base); err != nil {
		return err
	}
	// With "." for both, the old root lies over the new one until it is unmounted; see
	// pivot_root(2).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let the machine's root go: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return fmt.Errorf("make the root read-only: %w", err)
	}
	return nil
}

// loopbackUp switches on 127/8 of the own network, where nginx tries its addresses.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("switch loopback on: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("switch loopback on: %w", err)
	}
	return nil
}
