package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAgentsConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	for text, want := range map[string]string{
		"":                                    "",
		`{address: ":9443"}`:                  "",
		`{certificateLifetime: 720h}`:         "",
		`{address: "9443"}`:                   "agents.address: ",
		`{certificateLifetime: 1s}`:           "agents.certificateLifetime: 1s is not between 15s and a year",
		`{certificateLifetime: 9000h}`:        "agents.certificateLifetime: ",
		`{address: ":9443", certFile: a.pem}`: "certFile",
	} {
		if err := os.WriteFile(file, []byte("agents: "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(file, os.Getenv)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("agents: %s: %v", text, err)
		}
		if want == "" && strings.Contains(text, "9443") != (c.Agents.Address == ":9443") {
			t.Errorf("agents: %s: address %q", text, c.Agents.Address)
		}
	}
	c, err := readConfig("", func(name string) string { return map[string]string{"SLUICE_AGENTS_ADDRESS": "127.0.0.1:9443"}[name] })
	if err != nil || c.Agents.Address != "127.0.0.1:9443" || c.Agents.CertificateLifetime.Std() != time.Duration(0) {
		t.Errorf("%+v %v", c.Agents, err)
	}
}

// What a person is told to dial is where this command found the control plane, unless the listener
// has an address of its own.
func TestReachable(t *testing.T) {
	for _, c := range [][3]string{
		{"http://127.0.0.1:9080", "[::]:9443", "127.0.0.1:9443"},
		{"https://control.example.com", "0.0.0.0:9443", "control.example.com:9443"},
		{"http://127.0.0.1:9080", "10.0.0.1:9443", "10.0.0.1:9443"},
	} {
		if got := reachable(c[0], c[1]); got != c[2] {
			t.Errorf("%s and %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
