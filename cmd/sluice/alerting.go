package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/alert"
	"github.com/sluice-gateway/sluice/gateway"
)

// AlertsConfig says who is told what is wrong. Which tenants tell whom stands on their objects
// (spec.alerts.receivers), since tenants come and go without a restart.
type AlertsConfig struct {
	// Link is the address of the UI, and added to messages. Default: none.
	Link string `yaml:"link"`
	// Receivers are webhooks. Default: none; alerts are on the API all the same.
	Receivers []AlertReceiverConfig `yaml:"receivers"`
}

// AlertReceiverConfig is one webhook. Files are read for each message, so that a secret is
// renewed by writing the file.
type AlertReceiverConfig struct {
	Name string `yaml:"name"`
	// Type is slack, dingtalk, wecom or json.
	Type string `yaml:"type"`
	// URL of the webhook, or URLFile that holds it: most services' URLs are secrets.
	URL     string `yaml:"url"`
	URLFile string `yaml:"urlFile"`
	// SecretFile holds the secret that messages to DingTalk are signed with. Default: not signed.
	SecretFile string `yaml:"secretFile"`
	// TokenFile holds the token that json messages carry. Default: none.
	TokenFile string `yaml:"tokenFile"`
	// CAFile holds the authorities of the receiver's certificate. Default: the system's.
	CAFile string `yaml:"caFile"`
	// Scope is all (the default), platform (what belongs to no tenant) or tenants (those that
	// name the receiver in spec.alerts.receivers).
	Scope string `yaml:"scope"`
	// Kinds of alerts that it gets, such as service_bad. Default: all.
	Kinds []gateway.AlertKind `yaml:"kinds"`
	// Severity critical leaves warnings out. Default "warning": everything.
	Severity gateway.AlertSeverity `yaml:"severity"`
	// PerMinute is how many messages it gets at most; what is more waits, and is one digest.
	// Default 10.
	PerMinute int `yaml:"perMinute"`
	// Timeout of one attempt. Default 10s.
	Timeout Duration `yaml:"timeout"`
}

func (r *AlertReceiverConfig) receiver() alert.Receiver {
	return alert.Receiver{Name: r.Name, Type: r.Type, URL: r.URL, URLFile: r.URLFile, SecretFile: r.SecretFile, TokenFile: r.TokenFile, CAFile: r.CAFile,
		Scope: r.Scope, Kinds: r.Kinds, Critical: r.Severity == gateway.SeverityCritical, PerMinute: r.PerMinute, Timeout: r.Timeout.Std()}
}

func (c *AlertsConfig) check(bad func(format string, args ...any)) {
	if u, err := url.Parse(c.Link); c.Link != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad("alerts.link: %q is not a URL: write https://sluice.example.com", c.Link)
	}
	names := map[string]bool{}
	for i := range c.Receivers {
		r := &c.Receivers[i]
		at := fmt.Sprintf("alerts.receivers[%d].", i)
		if r.Name == "" || names[r.Name] {
			bad(at+"name: %q is empty or used twice: give each receiver a name of its own", r.Name)
		}
		names[r.Name] = true
		if r.Severity != "" && r.Severity != gateway.SeverityWarning && r.Severity != gateway.SeverityCritical {
			bad(at+"severity: %q is not warning or critical", r.Severity)
		}
		out := r.receiver()
		out.Check(func(key, format string, args ...any) { bad(at+key+": "+format, args...) })
	}
}

// eventRoom is how many events of health may wait for alerts: a whole upstream's at once.
const eventRoom = 4096

func (a *App) newAlerts() (*alert.Alerts, error) {
	cfg := alert.Config{Node: a.cfg.Node, Link: a.cfg.Alerts.Link, Facts: a.alertFacts(), Health: a.health.Upstreams, ReceiversOf: a.receiversOf, Shared: true, Log: a.log}
	cfg.Events, _ = a.health.Subscribe(eventRoom) // for the life of the process
	for i := range a.cfg.Alerts.Receivers {
		r := a.cfg.Alerts.Receivers[i].receiver()
		r.Check(func(string, string, ...any) {}) // checked with the configuration; this fills in defaults
		cfg.Receivers = append(cfg.Receivers, r)
	}
	return alert.New(cfg)
}

// storeEvery is how often alerts ask how the store is: of a cluster that is a question to each
// member.
const storeEvery = 10 * time.Second

// alertFacts gathers what others know.
func (a *App) alertFacts() func() alert.Facts {
	var asked time.Time
	var down string
	return func() alert.Facts {
		snap := a.loop.Snapshot()
		f := alert.Facts{Problems: slices.Concat(snap.Problems, a.fleets.Problems(), a.guard.Problems()), Sources: a.alertSources()}
		for _, fleet := range snap.Fleets {
			nodes, err := a.fleets.Nodes(fleet.Name)
			if err != nil {
				continue // the controller does not know the fleet yet
			}
			f.Nodes = append(f.Nodes, slices.DeleteFunc(nodes, func(n gateway.Node) bool { return a.fleets.Elsewhere(&n) || a.fleets.Awaited(&n) })...)
		}
		switch {
		case a.away():
			down = "It has not been reached since the start, and the local copy of " + a.copied.UTC().Format(time.RFC3339) + " is in use."
			asked = time.Time{}
		case time.Since(asked) >= storeEvery:
			asked, down = time.Now(), ""
			if st := a.store.Status(context.Background()); st.Err != nil {
				down = st.Err.Error()
			}
		}
		f.Store = down
		return f
	}
}

// alertSources leaves out sources that nothing follows: whether these answer hurts nobody.
func (a *App) alertSources() []alert.Source {
	var out []alert.Source
	for _, s := range a.sources.Status() {
		out = append(out, alert.Source{Name: s.Name, Lost: !s.Up && (s.Wants > 0 || !s.StaleSince.IsZero()), Why: s.Error})
	}
	for _, s := range a.ingressStatus() {
		out = append(out, alert.Source{Name: s.Name, Lost: !s.Up, Why: s.Error})
	}
	return out
}

func (a *App) receiversOf(tenant string) []string {
	for _, t := range a.loop.Snapshot().Tenants {
		if t.Name == tenant && t.Spec.Alerts != nil {
			return t.Spec.Alerts.Receivers
		}
	}
	return nil
}

// alertProblems are tenants that name a receiver which can not tell them anything.
func (a *App) alertProblems() []gateway.Problem {
	var out []gateway.Problem
	for _, t := range a.loop.Snapshot().Tenants {
		if t.Spec.Alerts == nil {
			continue
		}
		for i, name := range t.Spec.Alerts.Receivers {
			at := slices.IndexFunc(a.cfg.Alerts.Receivers, func(r AlertReceiverConfig) bool { return r.Name == name })
			p := gateway.Problem{Object: t.Ref(), Field: fmt.Sprintf("spec.alerts.receivers[%d]", i), Code: "receiver_unknown", Source: "alerts"}
			switch {
			case at < 0:
				p.Message = fmt.Sprintf("Receiver %q is not configured, so nobody is told: add it to alerts.receivers in sluice.yaml, or leave it out.", name)
			case a.cfg.Alerts.Receivers[at].Scope == alert.ScopePlatform:
				p.Message = fmt.Sprintf("Receiver %q is for the platform only, so it is not told: give it the scope tenants in sluice.yaml, or leave it out.", name)
			default:
				continue
			}
			out = append(out, p)
		}
	}
	return out
}
