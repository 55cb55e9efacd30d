package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// hintWindow is how far from a file's last write the logs are searched.
const hintWindow = 10 * time.Minute

// unknownOwner is the hint where no log tells.
const unknownOwner = "unknown"

// owners finds out who may have changed files, and remembers it: the logs are read once for
// each change.
type owners struct {
	known map[string]gateway.FileOwner // by path and time
	logs  hostLogs
}

// hostLogs are where a machine keeps who did what. The zero value is that of this machine.
type hostLogs struct {
	authLog string // file of syslog
	run     func(ctx context.Context, name string, args ...string) ([]byte, error)
}

// fill adds the owners to the files of a tree.
func (o *owners) fill(ctx context.Context, list []gateway.FileDrift, place func(string) string) []gateway.FileDrift {
	if o.known == nil {
		o.known = map[string]gateway.FileOwner{}
	}
	used := map[string]gateway.FileOwner{}
	for i, d := range list {
		path := place(d.Path)
		info, err := os.Stat(path)
		if err != nil {
			continue // it is gone, and nobody is left to ask
		}
		key := path + " " + info.ModTime().String()
		owner, ok := o.known[key]
		if !ok {
			owner = o.find(ctx, path, info)
		}
		used[key] = owner
		list[i].Owner = &owner
	}
	o.known = used
	return list
}

func (o *owners) find(ctx context.Context, path string, info os.FileInfo) gateway.FileOwner {
	owner := gateway.FileOwner{Modified: info.ModTime().UTC(), Hint: unknownOwner}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		owner.UID = int(s.Uid)
		if u, err := user.LookupId(strconv.Itoa(owner.UID)); err == nil {
			owner.User = u.Username
		}
	}
	if hint := o.logs.hint(ctx, path, info.ModTime()); hint != "" {
		owner.Hint = hint
	}
	return owner
}

// hint is what the logs say about a time: sudo lines that name the file, else other sudo
// lines and who was logged in.
func (l hostLogs) hint(ctx context.Context, path string, at time.Time) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	lines := l.sudoLines(ctx, at)
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], filepath.Base(path)) {
			return "sudo: " + lines[i]
		}
	}
	var parts []string
	if n := len(lines); n > 0 {
		// What others did is nobody's business, and arguments may be secret.
		who, command, _ := strings.Cut(lines[n-1], ": ")
		if program, _, _ := strings.Cut(command, " "); program != "" {
			parts = append(parts, "sudo at that time: "+who+": "+program)
		}
	}
	if in := l.loggedIn(ctx, at); in != "" {
		parts = append(parts, "logged in: "+in)
	}
	return strings.Join(parts, "; ")
}

func (l hostLogs) command(ctx context.Context, name string, args ...string) ([]byte, error) {
	if l.run != nil {
		return l.run(ctx, name, args...)
	}
	return exec.CommandContext(ctx, name, args...).Output()
}

// sudoLines are "USER: COMMAND" of the sudo calls around a time, from the journal or else
// from syslog's file.
func (l hostLogs) sudoLines(ctx context.Context, at time.Time) []string {
	since, until := at.Add(-hintWindow), at.Add(time.Minute)
	out, err := l.command(ctx, "journalctl", "-q", "--no-pager", "-o", "short-iso", "_COMM=sudo",
		"--since", since.Format("2006-01-02 15:04:05"), "--until", until.Format("2006-01-02 15:04:05"))
	var lines []string
	if err == nil {
		for line := range strings.Lines(string(out)) {
			if s := sudoLine(line); s != "" {
				lines = append(lines, s)
			}
		}
	}
	if len(lines) > 0 {
		return lines
	}
	path := l.authLog
	if path == "" {
		path = "/var/log/auth.log"
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	return authLines(f, since, until)
}

// maxAuthLog is how much of the end of syslog's file is read.
const maxAuthLog = 4 << 20

func authLines(f *os.File, since, until time.Time) (lines []string) {
	if info, err := f.Stat(); err == nil && info.Size() > maxAuthLog {
		if _, err := f.Seek(-maxAuthLog, io.SeekEnd); err != nil {
			return nil
		}
	}
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		if at, ok := logTime(scan.Text(), until); ok && at.After(since) && at.Before(until) {
			if s := sudoLine(scan.Text()); s != "" {
				lines = append(lines, s)
			}
		}
	}
	return lines
}

// logTime reads the time that a line of syslog begins with, in either of rsyslog's formats.
// The older one knows no year.
func logTime(line string, around time.Time) (time.Time, bool) {
	first, _, _ := strings.Cut(line, " ")
	if at, err := time.Parse(time.RFC3339Nano, first); err == nil {
		return at, true
	}
	if len(line) < len(time.Stamp) {
		return time.Time{}, false
	}
	at, err := time.ParseInLocation(time.Stamp, line[:len(time.Stamp)], around.Location())
	if err != nil {
		return time.Time{}, false
	}
	at = at.AddDate(around.Year(), 0, 0)
	if at.After(around.AddDate(0, 1, 0)) {
		at = at.AddDate(-1, 0, 0) // of December, read in January
	}
	return at, true
}

// sudoLine takes who and what out of a line of sudo's:
// "... sudo[12]:   alice : TTY=pts/0 ; PWD=/etc ; USER=root ; COMMAND=/usr/bin/vim nginx.conf".
func sudoLine(line string) string {
	_, rest, ok := strings.Cut(line, "sudo")
	if !ok {
		return ""
	}
	_, rest, ok = strings.Cut(rest, ":")
	who, what, okUser := strings.Cut(rest, " : ")
	_, command, okCommand := strings.Cut(what, "COMMAND=")
	if !ok || !okUser || !okCommand {
		return ""
	}
	return printable(strings.TrimSpace(who) + ": " + strings.TrimSpace(command))
}

// loggedIn lists the sessions of a time, by last(1).
func (l hostLogs) loggedIn(ctx context.Context, at time.Time) string {
	out, err := l.command(ctx, "last", "-w", "-p", at.Format("2006-01-02 15:04:05"))
	if err != nil {
		return ""
	}
	var list []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[0] == "reboot" || f[0] == "wtmp" || len(list) == 5 {
			continue
		}
		list = append(list, printable(fmt.Sprintf("%s (%s from %s)", f[0], f[1], f[2])))
	}
	return strings.Join(list, ", ")
}

// printable makes text from a log safe to show.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, text)
	const longest = 200
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}
