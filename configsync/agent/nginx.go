package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// nginx is the one nginx that the agent looks after.
type nginx struct {
	binary string
	conf   string // main configuration file
	prefix string // -p, or empty
	listen string // where the digest is asked for
	build  build
	old    *build // of the running nginx, when its binary was replaced
	seen   seenFiles
	oldExe string // by which that one can still be started, to test

	// As the configuration says, found by learn.
	pidPath      string
	errorLogPath string
	accessLog    string // see httpAccessLog
	main         *gateway.NodeMain
	leftOut      []string // of nginx.conf by a rendered one
}

// nginxError is what nginx says about a configuration.
type nginxError struct {
	message string
	file    string // relative to the staged tree where it lies in there
	line    int
	full    bool // there was no room on the disk
}

// errNotRunning is an nginx without a master process.
var errNotRunning = errors.New("nginx is not running")

var (
	logLine  = regexp.MustCompile(`(?m)^.*?\[(?:emerg|alert|crit|error)\] (?:\d+#\d+: )?(?:\*\d+ )?(.*)$`)
	logPlace = regexp.MustCompile(` in (/\S.*):(\d+)$`)
)

func (n *nginx) args(more ...string) []string {
	if n.prefix != "" {
		more = append(more, "-p", n.prefix)
	}
	return more
}

// test runs "nginx -t" on a main configuration file. While an older binary still runs, both
// have to accept it: the one for the reload, the other for the next start.
func (n *nginx) test(ctx context.Context, conf string) *nginxError {
	if failure := n.testWith(ctx, n.binary, conf); failure != nil || n.old == nil {
		return failure
	}
	failure := n.testWith(ctx, n.oldExe, conf)
	if failure != nil {
		failure.message = fmt.Sprintf("the nginx %s that still runs (restart it to run %s from disk): %s", n.old.version, n.build.version, failure.message)
	}
	return failure
}

func (n *nginx) testWith(ctx context.Context, binary, conf string) *nginxError {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, n.args("-t", "-q", "-c", conf)...).CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return &nginxError{message: fmt.Sprintf("nginx -t was stopped: %v", context.Cause(ctx))}
	}
	failure := parseMessage(string(out))
	if failure.message == "" {
		failure.message = fmt.Sprintf("nginx -t: %v: %s", err, bytes.TrimSpace(out))
	}
	return failure
}

// parseMessage takes nginx's first complaint and its place out of what it printed.
func parseMessage(out string) *nginxError {
	e := &nginxError{}
	m := logLine.FindStringSubmatch(out)
	if m == nil {
		return e
	}
	e.message = strings.TrimSpace(m[1])
	if p := logPlace.FindStringSubmatch(e.message); p != nil {
		e.file = p[1]
		e.line, _ = strconv.Atoi(p[2]) // digits by the pattern
	}
	return e
}

// translate names the original where nginx names a copy.
func (e *nginxError) translate(copied, original string) {
	e.message = strings.ReplaceAll(e.message, copied, original)
	e.file = strings.ReplaceAll(e.file, copied, original)
}

// relativeTo shortens paths inside the tree.
func (e *nginxError) relativeTo(tree string) {
	e.message = strings.ReplaceAll(e.message, tree+"/", "")
	e.file = shownPath(e.file, tree)
}

// master is the pid of nginx's master process, or 0. The pid file may be left from an nginx
// that is gone, so the process has to look like nginx: a signal must not hit another.
func (n *nginx) master() int {
	b, err := os.ReadFile(n.pidPath)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0
	}
	title, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || !bytes.HasPrefix(title, []byte("nginx: master process")) {
		return 0
	}
	return pid
}

// learn follows the "pid", "error_log" and "access_log" directives, as nginx does. link is the
// rendered tree.
func (n *nginx) learn(files []loadedFile, link string) {
	prefix := n.build.prefix
	if n.prefix != "" {
		prefix = n.prefix
	}
	n.learnPID(files)
	n.accessLog = httpAccessLog(files, n.conf, link, under(prefix, n.build.logPath))
	n.errorLogPath = ""
	if path := mainDirective(files, "error_log"); path != "" && path != "stderr" && !strings.ContainsRune(path, ':') {
		n.errorLogPath = under(prefix, path)
	}
}

// learnPID follows the "pid" directive. A change of it counts from when nginx has made the file.
func (n *nginx) learnPID(files []loadedFile) {
	if next := n.pidOf(files); n.pidPath == "" || n.master() == 0 {
		n.pidPath = next
	}
}

// pidOf is the pid file that nginx would have with these files.
func (n *nginx) pidOf(files []loadedFile) string {
	return under(cmp.Or(n.prefix, n.build.prefix), cmp.Or(mainDirective(files, "pid"), n.build.pidPath))
}

// reload asks the master to start workers with the files on disk.
func (n *nginx) reload() error {
	pid := n.master()
	if pid == 0 {
		return errNotRunning
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("send HUP to nginx's master process %d: %w", pid, err)
	}
	return nil
}

// running asks a worker which digest it runs. Each call opens a connection of its own: an
// old worker no longer accepts any once the new ones do.
func (n *nginx) running(ctx context.Context) (string, error) {
	network, address := "tcp", n.listen
	if path, ok := strings.CutPrefix(n.listen, "unix:"); ok {
		network, address = "unix", path
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://sluice/digest", nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask nginx for its digest: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 100))
	if err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask nginx for its digest: status %d: %w", res.StatusCode, errors.Join(err))
	}
	return strings.TrimSpace(string(b)), nil
}

// removeLeftSocket removes the digest's socket when nobody listens on it: nginx leaves it
// behind when it is killed, and would not start while it is there. Between bind and listen
// of a starting nginx a socket looks left too, hence the second look at the same file.
func (n *nginx) removeLeftSocket() bool {
	path, ok := strings.CutPrefix(n.listen, "unix:")
	return ok && n.removeLeft(path)
}

func (n *nginx) removeLeft(path string) bool {
	if n.master() != 0 {
		return false
	}
	before, err := os.Lstat(path)
	if err != nil || before.Mode()&os.ModeSocket == 0 || !refused(path) {
		return false
	}
	time.Sleep(200 * time.Millisecond)
	after, err := os.Lstat(path)
	if err != nil || !os.SameFile(before, after) || !refused(path) || n.master() != 0 {
		return false
	}
	return os.Remove(path) == nil
}

func refused(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
