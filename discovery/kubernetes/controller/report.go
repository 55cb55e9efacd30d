package controller

import (
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Status tells how following the cluster's resources is, as sources of endpoints do.
func (c *Controller) Status() discovery.SourceStatus {
	s := discovery.SourceStatus{Name: c.Name(), Up: true}
	for _, w := range c.watched() {
		lost, since := w.loss()
		if lost == "" {
			continue
		}
		if s.Up {
			s.Error = lost
		}
		s.Up = false
		if s.StaleSince.IsZero() || since.Before(s.StaleSince) {
			s.StaleSince = since
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.LastEvent = c.last; c.result == nil {
		s.StaleSince, s.Pending = time.Time{}, 1 // nothing of it is in use
	}
	return s
}

// Problems are what is wrong with the cluster's resources, and with following them, for
// people who do not look into the cluster.
func (c *Controller) Problems() []gateway.Problem {
	var out []gateway.Problem
	own := func(code, message string) {
		out = append(out, gateway.Problem{Object: gateway.Ref{Kind: "Kubernetes", Name: c.cfg.Cluster.Name}, Code: code, Message: message, Source: c.Name()})
	}
	for _, w := range c.watched() {
		if _, lost := w.state(); lost != "" && lost != notReached {
			own("cluster_lost", lost+": the last resources that were seen stay in force.")
		}
	}
	if trouble := c.writer.trouble(); trouble != "" {
		own("write_failed", trouble+".")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result != nil {
		for _, p := range c.result.Problems {
			if p.Type == corev1.EventTypeWarning {
				out = append(out, gateway.Problem{Object: gateway.Ref{Kind: gateway.Kind(p.Kind), Tenant: p.Tenant, Name: c.cfg.Cluster.Name + "/" + p.NamespacedName.String()},
					Field: p.Field, Code: code(p.Reason), Message: p.Message, Source: c.Name()})
			}
		}
	}
	return out
}

// code reads "host_not_owned" for the reason "HostNotOwned".
func code(reason string) string {
	var b strings.Builder
	for i, c := range reason {
		if unicode.IsUpper(c) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
