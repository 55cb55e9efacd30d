package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/dns"
	"github.com/sluice-gateway/sluice/discovery/names"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

// NamesConfig gives Kubernetes Services that upstreams follow names in DNS and announces them.
type NamesConfig struct {
	// Rule makes the host: "{{service}}.{{namespace}}.svc.example.com"; also {{tenant}} and
	// {{cluster}}.
	Rule string `yaml:"rule"`
	// Addresses that every name leads to, such as the virtual addresses of the edge. Or CNAME.
	Addresses []string `yaml:"addresses"`
	// CNAME is the name that every name is an alias of.
	CNAME string `yaml:"cname"`
	// TTL of the records. Default 1m.
	TTL Duration `yaml:"ttl"`
	// Grace is how long a service has to be gone before its name is withdrawn. Default 10m;
	// longer than the longest redeployment that deletes a Service.
	Grace *Duration `yaml:"grace"`
	// Owner marks what is ours where others announce too. Default "sluice"; give each
	// installation its own.
	Owner string `yaml:"owner"`
	// Routes says whether requests for a name are led to its service. Default true. Without,
	// routes are written by hand.
	Routes  *bool          `yaml:"routes"`
	RFC2136 *RFC2136Config `yaml:"rfc2136"`
	Webhook *WebhookConfig `yaml:"webhook"`
}

// RFC2136Config is a zone that takes dynamic updates.
type RFC2136Config struct {
	// Server is the zone's primary: 10.0.0.53, or 10.0.0.53:5353.
	Server string      `yaml:"server"`
	Zone   string      `yaml:"zone"`
	TSIG   *TSIGConfig `yaml:"tsig"`
}

// TSIGConfig is the key that signs the updates.
type TSIGConfig struct {
	Name string `yaml:"name"`
	// Algorithm is hmac-sha256 (the default), hmac-sha384, hmac-sha512, hmac-sha224 or hmac-sha1.
	Algorithm  string `yaml:"algorithm"`
	SecretFile string `yaml:"secretFile"`
}

// WebhookConfig is an API that is called for each name.
type WebhookConfig struct {
	URL       string `yaml:"url"`
	TokenFile string `yaml:"tokenFile"`
}

func (c *NamesConfig) check(bad func(format string, args ...any)) {
	if c == nil {
		return
	}
	rule, err := names.ParseRule(c.Rule)
	if err != nil {
		bad("names.rule: %w", err)
	}
	if _, err := c.target(); err != nil {
		bad("names.%w", err)
	}
	if c.TTL < 0 || c.TTL > Duration(24*time.Hour) || c.TTL%Duration(time.Second) != 0 {
		bad("names.ttl: %v is not whole seconds up to 24h", c.TTL.Std())
	}
	if c.Grace != nil && *c.Grace < 0 {
		bad("names.grace: %v is negative", c.Grace.Std())
	}
	if strings.ContainsAny(c.Owner, "\",= \t\n") || len(c.Owner) > 63 {
		bad("names.owner: %q is not a word of up to 63 characters", c.Owner)
	}
	if (c.RFC2136 == nil) == (c.Webhook == nil) {
		bad("names: give exactly one of rfc2136 and webhook")
	}
	if c.RFC2136 != nil {
		c.RFC2136.check(rule, err == nil, bad)
	}
	if c.Webhook != nil {
		if u, err := url.Parse(c.Webhook.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			bad("names.webhook.url: %q is not a URL: write https://dns.example.com/names", c.Webhook.URL)
		}
		if f := c.Webhook.TokenFile; f != "" {
			if _, err := os.ReadFile(f); err != nil {
				bad("names.webhook.tokenFile: %w", err)
			}
		}
	}
}

func (c *RFC2136Config) check(rule names.Rule, ruled bool, bad func(format string, args ...any)) {
	if _, err := dns.ServerAddress(c.Server); err != nil {
		bad("names.rfc2136.server: %w", err)
	}
	if c.Zone == "" || ruled && !rule.Within(c.Zone) {
		bad("names.rfc2136.zone: the names of the rule are not in zone %q: give the zone that they all end in", c.Zone)
	}
	k := c.TSIG
	if k == nil {
		return
	}
	if k.Name == "" {
		bad("names.rfc2136.tsig.name: name the key as the server does")
	}
	if k.Algorithm != "" && !slices.Contains(names.TSIGAlgorithms, k.Algorithm) {
		bad("names.rfc2136.tsig.algorithm: %q is not known: write %s", k.Algorithm, strings.Join(names.TSIGAlgorithms, ", "))
	}
	if _, err := k.key().Secret(); err != nil {
		bad("names.rfc2136.tsig.secretFile: %w", err)
	}
}

func (k *TSIGConfig) key() *names.TSIG {
	if k == nil {
		return nil
	}
	return &names.TSIG{Name: k.Name, Algorithm: k.Algorithm, SecretFile: k.SecretFile}
}

// target reads where names lead to. The error begins with the key.
func (c *NamesConfig) target() (names.Target, error) {
	out := names.Target{TTL: cmp.Or(c.TTL.Std(), time.Minute)}
	if (len(c.Addresses) == 0) == (c.CNAME == "") {
		return out, errors.New("addresses: give the addresses of the edge, or a cname, and not both")
	}
	if c.CNAME != "" {
		host, err := gateway.NormalHost(c.CNAME)
		if err != nil || strings.HasPrefix(host, "*") {
			return out, fmt.Errorf("cname: %q is not a host name: write edge.example.com", c.CNAME)
		}
		out.CNAME = host
	}
	for i, s := range c.Addresses {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			return out, fmt.Errorf("addresses[%d]: %q is not an IP address that clients can connect to", i, s)
		}
		out.Addresses = append(out.Addresses, a.Unmap())
	}
	slices.SortFunc(out.Addresses, netip.Addr.Compare)
	out.Addresses = slices.Compact(out.Addresses)
	return out, nil
}

func (c *NamesConfig) announcer() names.Announcer {
	owner := cmp.Or(c.Owner, "sluice")
	if w := c.Webhook; w != nil {
		return &names.Webhook{URL: w.URL, TokenFile: w.TokenFile, Owner: owner}
	}
	server, _ := dns.ServerAddress(c.RFC2136.Server) // checked with the configuration
	return &names.Updater{Server: server, Zone: c.RFC2136.Zone, Owner: owner, TSIG: c.RFC2136.TSIG.key()}
}

// newNames is nil when names are not configured. The configuration has been checked.
func (a *App) newNames() (*names.Keeper, error) {
	c := a.cfg.Names
	if c == nil {
		return nil, nil //nolint:nilnil // nothing to keep, and nothing wrong
	}
	rule, err := names.ParseRule(c.Rule)
	if err != nil {
		return nil, err
	}
	target, err := c.target()
	if err != nil {
		return nil, err
	}
	grace := 10 * time.Minute
	if c.Grace != nil {
		grace = c.Grace.Std()
	}
	return names.New(names.Config{
		Rule: rule, Target: target, Grace: grace, Announcer: c.announcer(),
		State:    nameRecords{a.store.Ledger("names"), a.log},
		Complete: a.servicesComplete,
		Lead: func(ctx context.Context, work func(context.Context) error) error {
			return a.store.Lead(ctx, "names", a.cfg.Node, work)
		},
		Log: a.log,
	}), nil
}

// derivedByNames is who makes the routes of names.
const derivedByNames = "names"

// newNameRouter is nil when names have no routes. The configuration has been checked.
func (a *App) newNameRouter() (*names.Router, error) {
	c := a.cfg.Names
	if c == nil || c.Routes != nil && !*c.Routes {
		return nil, nil //nolint:nilnil // nothing to route, and nothing wrong
	}
	rule, err := names.ParseRule(c.Rule)
	if err != nil {
		return nil, err
	}
	return names.NewRouter(rule, func(objects []gateway.Object) { a.loop.SetDerived(derivedByNames, objects) }), nil
}

// routeNames keeps the routes of names, if there are any to keep.
func (a *App) routeNames(ctx context.Context) error {
	if a.router == nil {
		return nil
	}
	return a.loop.Feed(ctx, a.router.Apply)
}

// servicesComplete says whether what is followed in Kubernetes now is all that there is.
func (a *App) servicesComplete() bool {
	select {
	case <-a.ready.complete:
	default:
		return false
	}
	return !slices.ContainsFunc(a.sources.All(), hidesServices)
}

// hidesServices says whether there may be Services that the source does not tell of: it follows
// EndpointSlices of a cluster, or the Ingresses and Services that make upstreams.
func hidesServices(s discovery.SourceStatus) bool {
	return strings.HasPrefix(s.Name, string(gateway.SourceKubernetes)+"/") && (!s.Up || s.Pending > 0)
}

// announce keeps the names, if there are any to keep.
func (a *App) announce(ctx context.Context) error {
	if a.names == nil {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.loop.Feed(ctx, a.names.Apply) })
	g.Go(func() error { return a.names.Run(ctx) })
	if err := g.Wait(); !errors.Is(err, store.ErrClosed) {
		return err
	}
	return nil
}

func (a *App) nameStatus() *api.NameStatus {
	if a.names == nil {
		return nil
	}
	s := a.names.Status()
	return &api.NameStatus{Leading: s.Leading, Announced: s.Announced, Pending: s.Pending, Leaving: s.Leaving, Failing: s.Failing, Message: s.Error}
}

// nameList lists what is announced in the words of the API.
func (a *App) nameList() api.NameList {
	if a.names == nil {
		return api.NameList{}
	}
	out := api.NameList{Rule: a.cfg.Names.Rule, Leading: a.names.Status().Leading}
	for _, n := range a.names.Names() {
		s := n.Service
		item := api.ServiceName{Host: n.Host, Cluster: s.Cluster, Namespace: s.Namespace, Service: s.Service, Tenant: s.Tenant, Upstream: s.Upstream,
			To: []string{}, TtlSeconds: int(n.Target.TTL / time.Second), Phase: api.ServiceNamePhase(n.Phase), Since: n.Since, Error: n.Error}
		for _, a := range n.Target.Addresses {
			item.To = append(item.To, a.String())
		}
		if n.Target.CNAME != "" {
			item.To = append(item.To, n.Target.CNAME)
		}
		if !n.Gone.IsZero() {
			item.GoneSince = &n.Gone
		}
		if !n.Next.IsZero() {
			item.NextAttempt = &n.Next
		}
		out.Items = append(out.Items, item)
	}
	return out
}

func (a *App) nameProblems() []gateway.Problem {
	var out []gateway.Problem
	if a.router != nil {
		out = a.router.Problems()
	}
	if a.names != nil {
		out = append(out, a.names.Problems()...)
	}
	return out
}

// nameRecords keeps the records of names in the store.
type nameRecords struct {
	ledger *store.Ledger
	log    *slog.Logger
}

var _ names.State = nameRecords{}

// Load leaves out what it can't read: such a name is announced again, which changes nothing
// where it is announced already.
func (r nameRecords) Load(ctx context.Context) ([]names.Record, error) {
	entries, err := r.ledger.Entries(ctx)
	if err != nil {
		return nil, err
	}
	var out []names.Record
	for host, text := range entries {
		var record names.Record
		if err := json.Unmarshal(text, &record); err != nil || record.Host != host {
			r.log.Warn("the record of a name cannot be read, so it is announced again", "host", host, "error", err)
			continue
		}
		out = append(out, record)
	}
	return out, nil
}

func (r nameRecords) Save(ctx context.Context, record names.Record) error {
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("write the record of %s: %w", record.Host, err)
	}
	return r.ledger.Put(ctx, record.Host, text)
}

func (r nameRecords) Forget(ctx context.Context, host string) error {
	return r.ledger.Delete(ctx, host)
}
