package sandbox

import "time"

// Paths inside a sandbox of its own mounts.
const (
	checkDir = "/check"
	tempDir  = checkDir + "/tmp"
)

// nobody is the user and the group that nginx runs as, inside and, when root starts it,
// outside too.
const nobody = 65534

// spec is what Init is told to do, on its standard input.
type spec struct {
	// Mounts says that a root of its own is made; else Dir is used as it is.
	Mounts bool
	// Binds are files and folders that are seen in the root at the same path, read-only.
	Binds []string
	// Dir is where Files are written; Temp is the folder that nginx may write to.
	Dir, Temp string
	Files     []stagedFile
	// Network says that there is a network of its own, whose loopback is to be switched on.
	Network bool
	// User says that Init is root and becomes nobody.
	User bool

	Args   []string // of nginx, with the program
	Env    []string
	Limits limits
}

type limits struct {
	CPU                                time.Duration
	Memory, Files, FileSize, Processes uint64
}

// stagedFile has a path relative to spec.Dir.
type stagedFile struct {
	Path string
	Data string
}

func (s *spec) size() (n uint64) {
	for _, f := range s.Files {
		n += uint64(len(f.Data)) + 4096
	}
	return n
}
