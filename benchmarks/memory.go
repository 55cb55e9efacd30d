package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// treeMemory is the memory of the process pid and all its descendants in bytes: resident,
// with pages that several of them share counted once (Pss of proc(5)).
func treeMemory(pid int) (int64, error) {
	members, err := processTree(pid)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, id := range members {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", id))
		if err != nil {
			if id == pid || !errors.Is(err, os.ErrNotExist) {
				return 0, err
			}
			continue // it has ended since the listing
		}
		n, err := parsePss(string(text))
		if err != nil {
			return 0, fmt.Errorf("memory of process %d: %w", id, err)
		}
		total += n
	}
	return total, nil
}

// parsePss reads the line "Pss:  123 kB".
func parsePss(text string) (int64, error) {
	number, unit, ok := strings.Cut(valueOf(text, "Pss", ":"), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !ok || unit != "kB" {
		return 0, fmt.Errorf("no Pss in %.200q", text)
	}
	return n << 10, nil
}
