// Command probe stands in nginx's place and tries what nginx must not be able to do.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if slices.Contains(os.Args, "-V") {
		fmt.Println("nginx version: probe/1.0\nconfigure arguments: --prefix=/nowhere --conf-path=/nowhere/nginx.conf")
		return
	}
	if slices.Contains(os.Args, "-s") {
		time.Sleep(time.Minute)
		return
	}
	dir := os.Args[slices.Index(os.Args, "-p")+1]
	f, err := os.Open(filepath.Join(dir, "tree/probe/do.conf"))
	if err != nil {
		return // the first try has no files
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		fmt.Fprintf(os.Stderr, "%s: %v\n", lines.Text(), try(dir, words[0], words[1:]))
	}
	os.Exit(1)
}

func try(dir, what string, args []string) string {
	switch what {
	case "read":
		return result(first(os.ReadFile(args[0])))
	case "list":
		list, err := os.ReadDir(strings.ReplaceAll(args[0], "DIR", dir))
		if err != nil {
			return err.Error()
		}
		names := ""
		for _, e := range list {
			names += " " + e.Name()
		}
		return "ok" + names
	case "write":
		return result(os.WriteFile(strings.ReplaceAll(args[0], "DIR", dir), []byte("x"), 0o600))
	case "fill":
		return fill(strings.ReplaceAll(args[0], "DIR", dir), args[1])
	case "dial":
		conn, err := net.DialTimeout(args[0], args[1], 5*time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return result(err)
	case "kill":
		pid, _ := strconv.Atoi(args[0])
		return result(syscall.Kill(pid, 0))
	case "pid":
		return strconv.Itoa(os.Getpid())
	case "id":
		groups, _ := os.Getgroups()
		return fmt.Sprintf("%d %d %d", os.Getuid(), os.Getgid(), len(groups))
	case "become":
		return result(syscall.Setuid(0))
	case "capabilities":
		return capabilities()
	case "mount":
		return result(syscall.Mount("tmpfs", "/tmp", "tmpfs", 0, ""))
	case "fork":
		for range 64 {
			child := exec.Command(os.Args[0], "-s")
			if err := child.Start(); err != nil {
				return err.Error()
			}
			defer func() { _ = child.Process.Kill() }()
		}
	case "memory":
		n, _ := strconv.Atoi(args[0])
		_, err := syscall.Mmap(-1, 0, n<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		return result(err)
	case "files":
		return files(args[0])
	case "flood":
		for range 1 << 10 {
			_, _ = os.Stderr.WriteString(strings.Repeat("x", 1<<10))
		}
	case "spin":
		for n := 0; ; n++ {
			spun = n
		}
	case "sleep":
		time.Sleep(time.Hour)
	case "environment":
		return fmt.Sprint(os.Environ())
	}
	return "ok"
}

var spun int

func first(_ []byte, err error) error { return err }

func result(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// fill writes a file of n MiB.
func fill(path, n string) string {
	f, err := os.Create(path)
	if err != nil {
		return err.Error()
	}
	mib, _ := strconv.Atoi(n)
	for range mib {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			return err.Error()
		}
	}
	return "ok"
}

func files(n string) string {
	most, _ := strconv.Atoi(n)
	for range most {
		if _, err := os.Open(os.Args[0]); err != nil {
			return err.Error()
		}
	}
	return "ok"
}

// capabilities are the effective, permitted and inheritable sets, capget(2).
func capabilities() string {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	var data [2]struct{ effective, permitted, inheritable uint32 }
	if _, _, e := syscall.Syscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); e != 0 {
		return e.Error()
	}
	return fmt.Sprint(data)
}
