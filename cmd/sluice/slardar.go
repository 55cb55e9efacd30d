package main

import (
	"sync/atomic"

	"github.com/sluice-gateway/sluice/admin/slardar"
	"github.com/sluice-gateway/sluice/store"
)

// SlardarConfig is about Slardar's contract at /compat/slardar/ of the admin API.
type SlardarConfig struct {
	// Tenant owns the upstreams of requests that do not say ?tenant=. Default: none, each
	// request has to say it.
	Tenant string `yaml:"tenant"`
}

// configVersion counts the changes of objects that this process has taken in, as Slardar
// does: from 0, one for each write.
type configVersion struct{ n, revision atomic.Int64 }

// take counts the writes of an update.
func (v *configVersion) take(u store.Update) {
	last := v.revision.Load()
	if u.Resync {
		if last != 0 && u.Revision != last {
			v.n.Add(1) // something was missed; how much is not known
		}
		v.revision.Store(u.Revision)
		return
	}
	for _, c := range u.Changes {
		if c.Revision != last { // the changes of one write share its revision, and follow each other
			v.n.Add(1)
			last = c.Revision
		}
	}
	v.revision.Store(last)
}

func (a *App) slardarParts() *slardar.Parts {
	return &slardar.Parts{Tenant: a.cfg.Admin.Slardar.Tenant, Heartbeats: a.health.Heartbeats, Observe: a.health.Observe, ConfigVersion: a.version.n.Load}
}
