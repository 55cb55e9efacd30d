package main

import (
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/sandbox"
)

// FleetCheckConfig says how bundles are checked by an nginx beside the control plane.
type FleetCheckConfig struct {
	// Off leaves the checking to the nodes. Default: false. Where no nginx is installed, the
	// nodes check alone anyway.
	Off bool `yaml:"off"`
	// Nginx is the binary that checks. Default: "nginx", in PATH or an sbin folder. Set it
	// where several are installed: the best one has the version of the nodes.
	Nginx string `yaml:"nginx"`
	// Timeout bounds one check. Default 30s; raise it where the machine is often overloaded.
	Timeout *Duration `yaml:"timeout"`
}

func (c FleetCheckConfig) check(bad func(format string, args ...any)) {
	if t := c.Timeout; t != nil && (t.Std() < time.Second || t.Std() > 10*time.Minute) {
		bad("fleetCheck.timeout: %s is not between 1s and 10m: a check of a large fleet takes a second or two", *t)
	}
}

// apply makes the sandbox that checks bundles, or nil where it is switched off.
func (c FleetCheckConfig) apply(fleets *configsync.Config, dataDir string) *sandbox.Sandbox {
	fleets.KeepFile = filepath.Join(dataDir, "fleet-quarantine.json")
	if c.Off {
		return nil
	}
	cfg := sandbox.Config{Nginx: c.Nginx, Log: fleets.Log}
	if c.Timeout != nil {
		cfg.Timeout = c.Timeout.Std()
	}
	box := sandbox.New(cfg)
	fleets.Check = box
	return box
}

func (a *App) fleetCheck() *api.FleetCheckStatus {
	if a.sandbox == nil {
		return nil
	}
	s := a.sandbox.Status()
	return &api.FleetCheckStatus{Level: string(s.Level), Version: s.Version, Warning: s.Warning}
}

var checkLevelDesc = prometheus.NewDesc("sluice_fleet_check_sandbox", "1 for how well the checks of bundles are shut in: namespaces, no_user_namespace, limits_only or none.", []string{"level"}, nil)

// checkMetric tells how well checks are shut in, once one was tried.
type checkMetric struct{ *App }

func (m checkMetric) Describe(ch chan<- *prometheus.Desc) { ch <- checkLevelDesc }

func (m checkMetric) Collect(ch chan<- prometheus.Metric) {
	if m.sandbox == nil {
		return
	}
	switch s := m.sandbox.Status(); {
	case s.Level != "":
		ch <- prometheus.MustNewConstMetric(checkLevelDesc, prometheus.GaugeValue, 1, string(s.Level))
	case s.Warning != "":
		ch <- prometheus.MustNewConstMetric(checkLevelDesc, prometheus.GaugeValue, 1, "none")
	}
}
