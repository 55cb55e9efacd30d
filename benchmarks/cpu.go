package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every Linux (proc(5)).
const tick = 10 * time.Millisecond

// procStat is what the measurement needs of /proc/PID/stat.
type procStat struct {
	parent int
	// cpu is user and system time of all threads, and of the children that have ended and
	// were waited for, so that the sum over a tree of processes never goes back.
	cpu time.Duration
}

// parseProcStat reads one line of /proc/PID/stat (proc(5)). The command in parentheses may
// hold spaces and parentheses itself, so fields are counted from the last one.
func parseProcStat(line string) (procStat, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	// fields[0] is field 3, the state.
	if end < 0 || len(fields) < 15 {
		return procStat{}, fmt.Errorf("%q is not a line of /proc/PID/stat", line)
	}
	var s procStat
	var err error
	if s.parent, err = strconv.Atoi(fields[4-3]); err != nil {
		return procStat{}, fmt.Errorf("parent in /proc/PID/stat: %w", err)
	}
	for _, field := range fields[14-3 : 18-3] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return procStat{}, fmt.Errorf("CPU time in /proc/PID/stat: %w", err)
		}
		s.cpu += time.Duration(ticks) * tick
	}
	return s, nil
}

// processes reads /proc/PID/stat of everybody.
func processes() (map[int]procStat, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	stats := make(map[int]procStat, len(names))
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended since the listing
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if stats[id], err = parseProcStat(string(line)); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return stats, nil
}

// treeCPU is the CPU time of the process pid and all its descendants.
func treeCPU(pid int) (time.Duration, error) {
	stats, err := processes()
	if err != nil {
		return 0, err
	}
	if _, ok := stats[pid]; !ok {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	var total time.Duration
	for id, s := range stats {
		if descends(stats, id, pid) {
			total += s.cpu
		}
	}
	return total, nil
}

// processTree lists the process pid and all its descendants.
func processTree(pid int) (members []int, err error) {
	stats, err := processes()
	if err != nil {
		return nil, err
	}
	for id := range stats {
		if descends(stats, id, pid) {
			members = append(members, id)
		}
	}
	return members, nil
}

// descends reports whether process id is ancestor or comes from it.
func descends(stats map[int]procStat, id, ancestor int) bool {
	for range len(stats) + 1 { // parents form no circle, but the files were read one by one
		if id == ancestor {
			return true
		}
		s, ok := stats[id]
		if !ok {
			return false
		}
		id = s.parent
	}
	return false
}

// coreBusy is the time that a core has spent on anything at all, from /proc/stat.
func coreBusy(core int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseCoreBusy(string(text), core)
}

// parseCoreBusy adds up what is not idle and not waiting for disks: user, nice, system, irq,
// softirq and steal. Guest time is part of user.
func parseCoreBusy(text string, core int) (time.Duration, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != fmt.Sprintf("cpu%d", core) {
			continue
		}
		var busy time.Duration
		for _, i := range []int{1, 2, 3, 6, 7, 8} {
			ticks, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("core %d in /proc/stat: %w", core, err)
			}
			busy += time.Duration(ticks) * tick
		}
		return busy, nil
	}
	return 0, fmt.Errorf("/proc/stat has no core %d", core)
}
