package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// machine is where the figures come from.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	System string `json:"system"`
	// LoadBefore is the load average of the last minute when the run began: 0 on a machine
	// that did nothing else.
	LoadBefore string `json:"loadBefore"`
}

// thisMachine reads /proc and /etc; what cannot be read is "unknown".
func thisMachine() machine {
	load, _, _ := strings.Cut(readText("/proc/loadavg"), " ")
	return machine{
		CPU:        valueOf(readText("/proc/cpuinfo"), "model name", ":"),
		Cores:      runtime.NumCPU(),
		Kernel:     readText("/proc/sys/kernel/osrelease"),
		System:     strings.Trim(valueOf(readText("/etc/os-release"), "PRETTY_NAME", "="), `"`),
		LoadBefore: load,
	}
}

func readText(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// valueOf finds the first line "key SEPARATOR value".
func valueOf(text, key, separator string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, separator); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// commitOf names the commit of the working directory, with "-dirty" when files differ from
// it, or "unknown" outside of a repository.
func commitOf(ctx context.Context) string {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "--short=10", "HEAD")
	if err != nil {
		return "unknown"
	}
	// Earlier results do not change what is measured.
	if changes, err := git("status", "--porcelain", "--", ".", ":(exclude)benchmarks/results"); err != nil || changes != "" {
		return commit + "-dirty"
	}
	return commit
}

// pinSelf keeps this program off the proxies' core. Programs that it starts are pinned by
// themselves.
func pinSelf(core int) error {
	pid := strconv.Itoa(os.Getpid())
	if out, err := exec.Command("taskset", "--all-tasks", "--cpu-list", "--pid", strconv.Itoa(core), pid).CombinedOutput(); err != nil {
		return fmt.Errorf("pin this program to core %d: %w: %s", core, err, out)
	}
	return nil
}
