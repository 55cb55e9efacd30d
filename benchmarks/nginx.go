package main

import (
	"context"
	"path/filepath"
	"syscall"
)

var nginx = nginxPeer(reference, "nginx.conf")

func nginxPeer(name, conf string) peer {
	return peer{
		name:    name,
		files:   map[string]string{"nginx.conf": conf},
		program: func(t tools) string { return t.nginx },
		args: func(s site) []string {
			return []string{"-e", "stderr", "-p", s.Dir, "-c", filepath.Join(s.Dir, "nginx.conf")}
		},
		version:      []string{"-v"},
		setEndpoints: reloadNginx,
		moveHost:     reloadNginx,
	}
}

// reloadNginx writes the whole configuration anew and has it read: stock nginx knows no
// other way. New workers take over some time after the signal.
func reloadNginx(_ context.Context, c *contender) error {
	if err := c.writeFiles(c.site); err != nil {
		return err
	}
	return c.process.cmd.Process.Signal(syscall.SIGHUP)
}
