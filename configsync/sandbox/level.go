package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// Level says how well a check is shut in.
type Level string

// The levels, the strictest first.
const (
	// LevelFull has user, mount, network and process namespaces.
	LevelFull Level = "namespaces"
	// LevelPrivileged has all but the user namespace; root sets it up and gives itself up.
	LevelPrivileged Level = "no_user_namespace"
	// LevelLimits has an unprivileged user, and the limits on time, memory and files.
	LevelLimits Level = "limits_only"
)

var allLevels = []Level{LevelFull, LevelPrivileged, LevelLimits}

// missing says what a level does not keep out.
func (l Level) missing() string {
	switch l {
	case LevelPrivileged:
		return "nginx -t has no user namespace of its own, so root sets its surroundings up"
	case LevelLimits:
		if os.Getuid() == 0 {
			return "nginx -t runs as nobody with limits on time and memory, and could read what everyone on this machine can read, and use the network"
		}
		return "nginx -t runs as the user of the control plane with limits on time and memory, and could read what that user can read, and use the network"
	}
	return "nothing"
}

// Status is what people should know about the sandbox.
type Status struct {
	// Level is empty before the first check, and where there is no nginx.
	Level Level `json:"level,omitempty"`
	// Version is that of the nginx that checks.
	Version string `json:"version,omitempty"`
	// Warning is what is missing, and why. Empty: nothing is.
	Warning string `json:"warning,omitempty"`
}

// Status says how checks are shut in.
func (s *Sandbox) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(s.err, ErrNoNginx):
		return Status{Warning: "there is no nginx beside the control plane, so bundles are checked by the nodes alone"}
	case s.err != nil:
		return Status{Warning: "bundles are checked by the nodes alone: " + s.err.Error()}
	case !s.ready:
		return Status{}
	}
	out := Status{Level: s.level, Version: s.nginx.version}
	if s.level != LevelFull {
		out.Warning = s.level.missing() + ": " + s.reason
	}
	return out
}

// tryLevels checks a tree without files at each level until one works.
func (s *Sandbox) tryLevels(ctx context.Context, p *program) (Level, string, error) {
	var reasons []string
	for _, level := range s.cfg.Levels {
		if level == LevelPrivileged && os.Getuid() != 0 {
			continue
		}
		complaint, err := s.run(ctx, p, level, &nginxconf.Tree{}, gateway.NodeFacts{})
		if err == nil && complaint == nil {
			return level, strings.Join(reasons, "; "), nil
		}
		if complaint != nil {
			err = errors.New(complaint.Message)
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", level, err))
	}
	return "", "", fmt.Errorf("it does not start in any sandbox: %s", strings.Join(reasons, "; "))
}
