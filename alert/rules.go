package alert

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DefaultErrorRatio is the share of 5xx answers above which rules alert.
const DefaultErrorRatio = 0.05

// TenantRules are the thresholds of one tenant.
type TenantRules struct {
	Tenant string
	// MaxErrorRatio is the share of 5xx answers, 0 to 1. Default [DefaultErrorRatio].
	MaxErrorRatio float64
	// MaxLatency of the 99th percentile. Default: no rule.
	MaxLatency time.Duration
}

// rule is one of a Prometheus rule file.
type rule struct {
	alert, expr   string
	held          string // how long it has to hold
	severity      string
	summary, more string
}

// PlatformRules write the group of rules for what belongs to no tenant.
func PlatformRules() string { return group("sluice", "", platformRules) }

// Rules write the group of a tenant. Names of tenants are quoted for regular expressions,
// PromQL and YAML.
func Rules(t TenantRules) string {
	if t.MaxErrorRatio == 0 {
		t.MaxErrorRatio = DefaultErrorRatio
	}
	tenant, upstreams := "tenant="+strconv.Quote(t.Tenant), "upstream=~"+strconv.Quote(regexp.QuoteMeta(t.Tenant)+"/.+")
	all := tenantRules(tenant, upstreams, strconv.FormatFloat(t.MaxErrorRatio, 'g', -1, 64))
	if t.MaxLatency > 0 {
		limit := strconv.FormatFloat(t.MaxLatency.Seconds(), 'g', -1, 64)
		all = append(all, rule{"SluiceSlow", "histogram_quantile(0.99, sum by (le) (rate(sluice_request_seconds_bucket{" + tenant + "}[5m]))) > " + limit, "5m", "warning",
			"99 of 100 requests should take " + t.MaxLatency.String() + " at most", "The 99th percentile is {{ $value | humanizeDuration }}."})
	}
	return group("sluice/"+t.Tenant, t.Tenant, all)
}

// RulesFile begins a file of groups.
func RulesFile(groups ...string) string { return "groups:\n" + strings.Join(groups, "") }

var platformRules = []rule{
	{"SluiceSourceDown", "sluice_source_up == 0", "5m", "warning", "source {{ $labels.source }} is out of reach",
		"What it last said stays in service; endpoints that come and go are not seen."},
	{"SluiceStoreDown", "sluice_store_up == 0 or sluice_store_stale_since_seconds > 0", "1m", "warning", "the store is out of reach",
		"Traffic is served, nothing can be changed."},
	{"SluiceStoreFull", "sluice_store_db_in_use_bytes / sluice_store_quota_bytes > 0.8", "10m", "warning", "the store is {{ $value | humanizePercentage }} full",
		"Raise etcd's quota before it refuses changes."},
	{"SluiceStoreAlarm", "sluice_store_alarms > 0", "1m", "critical", "etcd raised an alarm", "See sluice status."},
	{"SluiceEdgesDiffer", "count(count by (digest) (sluice_snapshot_info)) > 1", "2m", "warning", "edges serve {{ $value }} different snapshots",
		"The same request may be answered in different ways: see sluice status on each."},
	{"SluiceNodeSilent", `sluice_fleet_nodes{state="silent"} > 0`, "1m", "warning", "{{ $value }} nodes of fleet {{ $labels.fleet }} are silent", "Their agents do not report."},
	{"SluiceNodeDrifted", `sluice_fleet_nodes{state="drifted"} > 0`, "5m", "warning", "{{ $value }} nodes of fleet {{ $labels.fleet }} have drifted", "See sluice fleet drift {{ $labels.fleet }}."},
	{"SluiceRolloutFailed", `sluice_fleet_nodes{state="failed"} > 0`, "0s", "critical", "{{ $value }} nodes of fleet {{ $labels.fleet }} refused the configuration",
		"They keep their previous one: see sluice status."},
	{"SluiceRolloutTakenBack", `sluice_fleet_rollout{state="failed"} > 0`, "0s", "critical", "fleet {{ $labels.fleet }} took a change back", "See sluice fleet rollout status {{ $labels.fleet }}."},
	{"SluiceRolloutPaused", `sluice_fleet_rollout{state="paused"} > 0`, "1h", "warning", "a rollout of fleet {{ $labels.fleet }} has been paused for an hour", "Resume or abort it: nothing else reaches the fleet."},
	{"SluiceReloadFails", `increase(sluice_nginx_reloads_total{result="failed"}[10m]) > 0`, "0s", "warning", "nginx on {{ $labels.node }} did not reload", "See its error log."},
	{"SluiceAlertsNotSent", `sum by (instance, receiver) (increase(sluice_alerts_sent_total{outcome=~"failed|refused"}[15m])) > 3`, "0s", "warning",
		"alerts do not reach receiver {{ $labels.receiver }}", "See sluice alerts receivers."},
	{"SluiceAlertsDropped", "increase(sluice_alerts_dropped_total[15m]) > 0", "0s", "warning", "receiver {{ $labels.receiver }} was not told of alerts", "See sluice alerts ls."},
	{"SluiceHealthEventsMissed", "increase(sluice_health_events_missed_total[15m]) > 0", "0s", "warning", "events of health were missed", "Alerts found by looking come up to 30 seconds later."},
}

// tenantRules are those of every tenant. They take part in no rule with fewer than a request
// every ten seconds, since one of three says little.
func tenantRules(tenant, upstreams, errorRatio string) []rule {
	requests := "sum(rate(sluice_requests_total{" + tenant + "}[5m]))"
	return []rule{
		{"SluiceErrors", "sum(rate(sluice_requests_total{" + tenant + `,code=~"5.."}[5m])) / ` + requests + " > " + errorRatio + " and " + requests + " > 0.1", "2m", "critical",
			"{{ $value | humanizePercentage }} of requests fail", "More than " + errorRatio + " of the answers within 5 minutes are 5xx."},
		{"SluiceServiceBad", "max by (upstream, rule) (sluice_service_bad{" + upstreams + "}) > 0", "0s", "critical", "upstream {{ $labels.upstream }} fails as a whole",
			"No endpoint is better than the others: look at what they share."},
		{"SluiceEndpointsOut", "sum by (instance, upstream) (sluice_endpoint_verdict{" + upstreams + `,verdict=~"ejected|down"}) / count by (instance, upstream) (sluice_endpoint_verdict{` + upstreams +
			`,verdict="healthy"}) > 0.3`, "5m", "warning", "{{ $value | humanizePercentage }} of the endpoints of {{ $labels.upstream }} are out", "See sluice health log {{ $labels.upstream }}."},
		{"SluiceFlapping", "sum by (instance, upstream) (increase(sluice_ejections_total{" + upstreams + `,reason!~".*_shadow"}[30m])) > 5`, "0s", "warning",
			"endpoints of {{ $labels.upstream }} are ejected again and again", "See sluice health log {{ $labels.upstream }}."},
		{"SluiceTurnedAway", "sum by (instance, upstream) (rate(sluice_upstream_turned_away_total{" + upstreams + "}[5m])) > 0.1", "5m", "warning",
			"{{ $labels.upstream }} turns away {{ $value | humanize }} requests a second", "Its limits are reached: raise them, or add endpoints."},
		{"SluiceShrinkHeld", "max by (upstream, source) (sluice_shrink_held_endpoints{" + upstreams + "}) > 0", "0s", "warning", "{{ $labels.source }} has lost {{ $value }} endpoints of {{ $labels.upstream }}",
			"They are kept while they answer: see sluice upstream shrink."},
		{"SluiceCertificateExpires", "min by (certificate) (sluice_certificate_not_after_seconds{" + tenant + "}) - time() < 7 * 86400", "1h", "warning",
			"certificate {{ $labels.certificate }} expires in {{ $value | humanizeDuration }}", "Put a new one in its place."},
	}
}

// group writes YAML. strconv.Quote of these texts is a double-quoted scalar of YAML, too: both
// escape quotes, backslashes and control characters alike.
func group(name, tenant string, rules []rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- name: %q\n  rules:\n", name)
	for _, r := range rules {
		fmt.Fprintf(&b, "  - alert: %s\n    expr: %q\n    for: %s\n    labels:\n      severity: %s\n", r.alert, r.expr, r.held, r.severity)
		if tenant != "" {
			fmt.Fprintf(&b, "      tenant: %q\n", tenant)
		}
		fmt.Fprintf(&b, "    annotations:\n      summary: %q\n      description: %q\n", r.summary, r.more)
	}
	return b.String()
}
