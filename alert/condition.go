package alert

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Facts are what is known at one moment, besides what health has told in events.
type Facts struct {
	Problems []gateway.Problem
	Nodes    []gateway.Node
	Sources  []Source
	// Store is why the store can not be used, or empty.
	Store string
}

// Source of endpoints, as far as it matters here.
type Source struct {
	Name string
	// Lost says that it is out of reach although something needs it, and Why.
	Lost bool
	Why  string
	// Since is when it was lost, or zero.
	Since time.Time
}

const (
	// ruleByHand is the rule of what is a person's doing, who needs no alert for it.
	ruleByHand = "by_hand"
	// ruleInitial is that of new endpoints which probes have not decided about yet.
	ruleInitial = "initial"
)

// graces are how long a condition has to hold before anybody is told: a connection that is
// renewed is no news.
var graces = map[gateway.AlertKind]time.Duration{
	gateway.AlertSourceDown: 15 * time.Second,
	gateway.AlertStoreDown:  15 * time.Second,
	gateway.AlertNginxDown:  10 * time.Second, // somebody starts it anew
}

// Conditions lists what holds according to the facts. Since is zero where nobody knows.
func Conditions(f Facts) []gateway.Alert {
	var out []gateway.Alert
	for _, s := range f.Sources {
		if s.Lost {
			out = append(out, gateway.Alert{Kind: gateway.AlertSourceDown, Severity: gateway.SeverityWarning, Subject: "source " + s.Name, Since: s.Since,
				Summary: "source " + s.Name + " is out of reach", Detail: "What it last said stays in service. " + s.Why, ID: id(gateway.AlertSourceDown, s.Name)})
		}
	}
	if f.Store != "" {
		out = append(out, gateway.Alert{Kind: gateway.AlertStoreDown, Severity: gateway.SeverityWarning, Subject: "store", ID: id(gateway.AlertStoreDown),
			Summary: "the store is out of reach", Detail: "Traffic is served, nothing can be changed. " + f.Store})
	}
	for i := range f.Nodes {
		out = append(out, nodeConditions(&f.Nodes[i])...)
	}
	return append(out, problemConditions(f.Problems)...)
}

func nodeConditions(n *gateway.Node) []gateway.Alert {
	subject := "node " + n.Node + " of fleet " + n.Fleet
	a := gateway.Alert{Severity: gateway.SeverityWarning, Subject: subject}
	switch {
	case n.State == gateway.NodeSilent && n.Revoked:
		return nil // somebody wants it so
	case n.State == gateway.NodeSilent:
		a.Kind, a.Since = gateway.AlertNodeSilent, n.ReportedAt
		a.Summary, a.Detail = subject+" is silent", "Its agent does not report: what nginx runs there is not known."
	case n.Reason == gateway.ReasonNotRunning || n.Reason == gateway.ReasonOrphans:
		a.Kind, a.Severity = gateway.AlertNginxDown, gateway.SeverityCritical
		a.Summary, a.Detail = "nginx does not run on "+subject, "Start it: the files on disk were accepted by nginx -t."
		if n.CheckError != "" {
			a.Detail = "It would not start: " + n.CheckError
		}
		if n.Reason == gateway.ReasonOrphans {
			a.Summary, a.Detail = "nginx has no master on "+subject, "Its workers serve on with what they have, and nothing reaches them. Start nginx: the agent ends them then."
		}
	case n.CheckError != "": // also when files were changed by hand: that is why, and this is worse
		a.Kind, a.Severity = gateway.AlertDrift, gateway.SeverityCritical
		a.Summary, a.Detail = subject+" has files that nginx refuses", "A restart of nginx would fail: "+n.CheckError
		if len(n.Drift) > 0 {
			a.Detail += ". Changed by hand: " + changed(n.Drift) + ". See sluice fleet drift " + n.Fleet + "."
		}
	case len(n.Drift) > 0:
		a.Kind = gateway.AlertDrift
		a.Summary, a.Detail = subject+" has drifted", "Changed by hand: "+changed(n.Drift)+". See sluice fleet drift "+n.Fleet+"."
	case n.Reason == gateway.ReasonNotLoaded:
		a.Kind = gateway.AlertDrift
		a.Summary, a.Detail = subject+" has drifted", "Its nginx has not loaded the files as they are on disk: somebody has changed them. See sluice fleet drift "+n.Fleet+"."
	default:
		return nil
	}
	a.ID = id(a.Kind, n.Fleet, n.Node)
	return []gateway.Alert{a}
}

// changed names the files of edits by hand.
func changed(drift []gateway.FileDrift) string {
	var files []string
	for _, d := range drift {
		files = append(files, d.Path+" "+d.Change)
	}
	return listed(files)
}

// problemConditions picks those problems that come by themselves. The others are answers to
// what somebody has just written, and shown to them.
func problemConditions(problems []gateway.Problem) []gateway.Alert {
	var out []gateway.Alert
	at, more := map[string]int{}, map[string]int{}
	for _, p := range problems {
		kind, severity, summary := kindOf(p)
		if kind == "" {
			continue
		}
		a := gateway.Alert{Kind: kind, Severity: severity, Tenant: p.Object.Tenant, Subject: strings.ToLower(string(p.Object.Kind)) + p.Object.String()[len(p.Object.Kind):],
			Detail: p.Message, ID: id(kind, string(p.Object.Kind), p.Object.Tenant, p.Object.Name)}
		a.Summary = a.Subject + " " + summary
		if i, ok := at[a.ID]; ok { // one rollout that a hundred nodes refuse is one condition
			more[a.ID]++
			if severity.Above(out[i].Severity) {
				out[i] = a
			}
			continue
		}
		at[a.ID] = len(out)
		out = append(out, a)
	}
	for key, n := range more {
		out[at[key]].Detail += fmt.Sprintf(" (and %d more like it)", n)
	}
	return out
}

func kindOf(p gateway.Problem) (gateway.AlertKind, gateway.AlertSeverity, string) {
	switch p.Code {
	case "certificate_expiring":
		return gateway.AlertCertificate, gateway.SeverityWarning, "expires soon"
	case "certificate_expired":
		return gateway.AlertCertificate, gateway.SeverityCritical, "has expired"
	case "shrink_held":
		return gateway.AlertShrinkHeld, gateway.SeverityWarning, "has lost endpoints all at once"
	case "fleet_missing":
		return gateway.AlertNodeSilent, gateway.SeverityWarning, "is gone, and nodes still run its files"
	case "rollout_failed":
		return gateway.AlertRolloutFailed, gateway.SeverityCritical, "took a change back"
	}
	if p.Code == "nginx_refused" && p.Object.Kind == gateway.KindFleet {
		return gateway.AlertRolloutFailed, gateway.SeverityCritical, "gets no new configuration"
	}
	if p.Code == "nginx_refused" { // found when the write has been answered, so its author may never see the problem
		return gateway.AlertRolloutFailed, gateway.SeverityWarning, "is left out of nginx nodes"
	}
	if strings.HasPrefix(p.Code, "nginx_") && strings.HasSuffix(p.Code, "_failed") && strings.HasPrefix(p.Source, "node ") {
		return gateway.AlertRolloutFailed, gateway.SeverityCritical, "was refused by nginx"
	}
	return "", "", ""
}

// HealthConditions lists what holds according to health.
func HealthConditions(all []gateway.UpstreamHealth) []gateway.Alert {
	var out []gateway.Alert
	for i := range all {
		u := &all[i]
		if u.Service.Bad {
			out = append(out, serviceBad(u.Upstream, u.Service.Since, u.Service.Reason))
		}
		if u.Panic {
			out = append(out, panicking(u.Upstream, time.Time{}, "Less than half of the endpoints would be in rotation: ejections are ignored."))
		}
		for j := range u.Verdicts {
			if a, ok := endpointOut(&u.Verdicts[j]); ok {
				out = append(out, a)
			}
		}
	}
	return out
}

func serviceBad(u gateway.UpstreamKey, since time.Time, reason string) gateway.Alert {
	subject := "upstream " + u.String()
	return gateway.Alert{ID: id(gateway.AlertServiceBad, u.Tenant, u.Name), Kind: gateway.AlertServiceBad, Severity: gateway.SeverityCritical, Tenant: u.Tenant,
		Subject: subject, Summary: subject + " fails as a whole", Detail: sentence(reason) + " No endpoint is better than the others, so none is ejected: look at what they share.", Since: since}
}

func panicking(u gateway.UpstreamKey, since time.Time, reason string) gateway.Alert {
	subject := "upstream " + u.String()
	return gateway.Alert{ID: id(gateway.AlertPanic, u.Tenant, u.Name), Kind: gateway.AlertPanic, Severity: gateway.SeverityCritical, Tenant: u.Tenant,
		Subject: subject, Summary: subject + " panics: too few endpoints are healthy", Detail: sentence(reason), Since: since}
}

// endpointOut is the condition of an endpoint that health keeps out, or lets in for trial
// requests only. What a person says is none.
func endpointOut(v *gateway.Verdict) (gateway.Alert, bool) {
	if v.Rule == ruleByHand || v.Rule == ruleInitial || v.State != gateway.StateEjected && v.State != gateway.StateDown && v.State != gateway.StateProbation {
		return gateway.Alert{}, false
	}
	word := map[gateway.HealthState]string{gateway.StateEjected: " was ejected", gateway.StateDown: " is down", gateway.StateProbation: " is on probation"}[v.State]
	u := v.Upstream
	a := gateway.Alert{ID: id(gateway.AlertEndpointOut, u.Tenant, u.Name, v.Address), Kind: gateway.AlertEndpointOut, Severity: gateway.SeverityWarning, Tenant: u.Tenant,
		Subject: "upstream " + u.String() + ", endpoint " + v.Address, Summary: "endpoint " + v.Address + " of upstream " + u.String() + word,
		Detail: sentence(v.Reason), Since: v.Since}
	if n := len(v.Evidence.Samples); n > 0 {
		if s := v.Evidence.Samples[n-1]; s.Request != 0 {
			text, _ := s.Request.MarshalText() // it never fails
			a.Detail += " Last request: " + string(text) + "."
		}
	}
	return a, true
}

// id joins the parts of a condition's name.
func id(kind gateway.AlertKind, parts ...string) string {
	out := string(kind)
	for _, p := range parts {
		if p != "" {
			out += "/" + p
		}
	}
	return out
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// listed names a few.
func listed(all []string) string {
	const most = 5
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}
