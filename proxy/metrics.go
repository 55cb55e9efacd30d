package proxy

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	descRequests = prometheus.NewDesc("sluice_requests_total",
		"Requests from clients, by the status they got; 499 means that the client left.",
		[]string{"listener", "tenant", "route", "upstream", "code"}, nil)
	descSeconds = prometheus.NewDesc("sluice_request_seconds",
		"Time from the head of a request to the end of its answer.",
		[]string{"listener", "tenant", "route"}, nil)
	descUpstream = prometheus.NewDesc("sluice_upstream_requests_total",
		"Exchanges with endpoints, by how they ended.",
		[]string{"upstream", "endpoint", "outcome"}, nil)
	descConnections = prometheus.NewDesc("sluice_connections",
		"Open connections from clients.",
		[]string{"listener", "state"}, nil)
	descHandshakes = prometheus.NewDesc("sluice_tls_handshakes_total",
		"TLS handshakes with clients that succeeded.",
		[]string{"listener", "resumed"}, nil)
	descHandshakeFailures = prometheus.NewDesc("sluice_tls_handshake_failures_total",
		"TLS handshakes with clients that failed, by reason.",
		[]string{"listener", "reason"}, nil)
	descDropped = prometheus.NewDesc("sluice_access_log_dropped_total",
		"Access log lines that were dropped because the writer could not keep up.", nil, nil)
	descFaults = prometheus.NewDesc("sluice_http2_faults_total",
		"HTTP/2 connections that were ended because of what the client sent, by error code.",
		[]string{"code"}, nil)
)

// Describe implements prometheus.Collector.
func (p *Proxy) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRequests, descSeconds, descUpstream, descConnections, descHandshakes, descHandshakeFailures, descDropped, descFaults} {
		ch <- d
	}
	for _, d := range streamDescs {
		ch <- d
	}
	for _, d := range slices.Concat(upstreamDescs, routeDescs) {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It sums up what the connections count.
func (p *Proxy) Collect(ch chan<- prometheus.Metric) {
	p.mu.Lock()
	listeners := p.listeners
	p.mu.Unlock()
	for _, l := range listeners {
		idle, active := p.conns.count(l)
		ch <- prometheus.MustNewConstMetric(descConnections, prometheus.GaugeValue, float64(idle), l.Name, "idle")
		ch <- prometheus.MustNewConstMetric(descConnections, prometheus.GaugeValue, float64(active), l.Name, "active")
		l.collect(ch, l.Name)
		if l.shake != nil {
			l.shake.collect(ch, l.Name)
		}
	}
	p.streams.collect(ch)
	if p.access != nil {
		ch <- prometheus.MustNewConstMetric(descDropped, prometheus.CounterValue, float64(p.access.dropped.Load()))
	}
	p.faults.collect(ch)
	p.apply.Lock()
	all := []*stats{p.unmatched}
	for _, s := range p.compiled.stats {
		all = append(all, s)
	}
	for _, e := range p.compiled.endpoints {
		e.collect(ch)
	}
	for _, up := range p.compiled.upstreams {
		up.collect(ch)
	}
	for k, l := range p.compiled.limits {
		l.collect(ch, k)
	}
	p.apply.Unlock()
	collectRequests(ch, all, listeners)
}

func (h *handshakes) collect(ch chan<- prometheus.Metric, listener string) {
	resumed := h.resumed.Load() // before done, which is never less
	ch <- prometheus.MustNewConstMetric(descHandshakes, prometheus.CounterValue, float64(h.done.Load()-resumed), listener, "false")
	ch <- prometheus.MustNewConstMetric(descHandshakes, prometheus.CounterValue, float64(resumed), listener, "true")
	for f := range h.failed {
		if n := h.failed[f].Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(descHandshakeFailures, prometheus.CounterValue, float64(n), listener, tlsFaultNames[f])
		}
	}
}

func (e *endpoint) collect(ch chan<- prometheus.Metric) {
	for o := range e.outcomes {
		if n := e.outcomes[o].Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(descUpstream, prometheus.CounterValue, float64(n), e.label, e.key.Address, outcomeNames[o])
		}
	}
}

// collectRequests reports counts by listener, route, upstream and code, and times by
// listener and route: those of several upstreams are put together.
func collectRequests(ch chan<- prometheus.Metric, all []*stats, listeners []*listener) {
	type key struct{ listener, tenant, route string }
	type seconds struct {
		times [numBuckets]uint64
		total float64
	}
	byRoute := map[key]*seconds{}
	for _, s := range all {
		for _, l := range listeners {
			codes, times, total, ok := s.sum(l.index)
			if !ok {
				continue
			}
			for code, n := range codes {
				ch <- prometheus.MustNewConstMetric(descRequests, prometheus.CounterValue, float64(n),
					l.Name, s.key.tenant, s.key.route, s.key.label(), strconv.Itoa(code))
			}
			k := key{l.Name, s.key.tenant, s.key.route}
			if byRoute[k] == nil {
				byRoute[k] = &seconds{}
			}
			for b, n := range times {
				byRoute[k].times[b] += n
			}
			byRoute[k].total += total
		}
	}
	for k, s := range byRoute {
		buckets, count := cumulative(s.times)
		ch <- prometheus.MustNewConstHistogram(descSeconds, count, s.total, buckets, k.listener, k.tenant, k.route)
	}
}

// cumulative turns counts into what Prometheus wants: how many took at most so long.
func cumulative(times [numBuckets]uint64) (buckets map[float64]uint64, count uint64) {
	buckets = make(map[float64]uint64, numBuckets-1)
	for b, n := range times {
		count += n
		if b < numBuckets-1 {
			buckets[float64(uint64(1)<<(b+minBucket))/1e9] = count
		}
	}
	return buckets, count
}

func (k statsKey) label() string {
	if k.upstream.Name == "" {
		return ""
	}
	return k.upstream.String()
}
