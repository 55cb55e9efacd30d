package alert

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The types of receivers, each with the words of its messages.
const (
	TypeSlack    = "slack"
	TypeDingTalk = "dingtalk"
	TypeWeCom    = "wecom"
	TypeJSON     = "json"
)

// The scopes of receivers.
const (
	ScopeAll      = "all"      // everything
	ScopePlatform = "platform" // what belongs to no tenant
	ScopeTenants  = "tenants"  // tenants that name it in spec.alerts.receivers
)

// Receiver is where alerts are sent.
type Receiver struct {
	// Name is how tenants and commands call it.
	Name string
	// Type is slack, dingtalk, wecom or json.
	Type string
	// URL of the webhook, or URLFile that holds it: for most services it is a secret.
	URL, URLFile string
	// SecretFile holds the secret that DingTalk messages are signed with. Default: not signed.
	SecretFile string
	// TokenFile holds a token that json messages carry (Authorization: Bearer). Default: none.
	TokenFile string
	// CAFile holds the authorities in PEM of the receiver's certificate. Default: the system's.
	CAFile string
	// Scope says whose alerts it gets. Default "all".
	Scope string
	// Kinds of alerts that it gets. Default: all.
	Kinds []gateway.AlertKind
	// Critical leaves warnings out.
	Critical bool
	// PerMinute is how many messages it gets in a minute at most; the rest waits and is one digest.
	// Default 10; DingTalk and WeCom take 20.
	PerMinute int
	// Timeout of one attempt. Default 10s.
	Timeout time.Duration
}

// Check fills in defaults and says what is wrong; key is the field of sluice.yaml.
func (r *Receiver) Check(bad func(key, format string, args ...any)) {
	r.Scope = cmp.Or(r.Scope, ScopeAll)
	r.PerMinute = cmp.Or(r.PerMinute, 10)
	r.Timeout = cmp.Or(r.Timeout, 10*time.Second)
	if types := []string{TypeSlack, TypeDingTalk, TypeWeCom, TypeJSON}; !slices.Contains(types, r.Type) {
		bad("type", "%q is not a type of receiver: write %s", r.Type, strings.Join(types, ", "))
	}
	if scopes := []string{ScopeAll, ScopePlatform, ScopeTenants}; !slices.Contains(scopes, r.Scope) {
		bad("scope", "%q is not a scope: write %s", r.Scope, strings.Join(scopes, ", "))
	}
	for i, k := range r.Kinds {
		if !slices.Contains(gateway.AlertKinds, k) {
			bad(fmt.Sprintf("kinds[%d]", i), "%q is not a kind of alert: write some of %v", k, gateway.AlertKinds)
		}
	}
	if r.PerMinute < 1 || r.PerMinute > 600 {
		bad("perMinute", "%d is not between 1 and 600", r.PerMinute)
	}
	if r.Timeout < 0 || r.Timeout > time.Minute {
		bad("timeout", "%v is not between 0s and 1m", r.Timeout)
	}
	switch {
	case (r.URL == "") == (r.URLFile == ""):
		bad("url", "give the webhook's url, or a urlFile that holds it, and not both")
	case r.URL != "":
		if _, err := parseURL(r.URL); err != nil {
			bad("url", "%v", err)
		}
	}
	if r.SecretFile != "" && r.Type != TypeDingTalk {
		bad("secretFile", "only messages to dingtalk are signed: leave it out")
	}
	if r.TokenFile != "" && r.Type != TypeJSON {
		bad("tokenFile", "only messages of type json carry a token: leave it out")
	}
	for _, f := range []struct{ key, file string }{{"urlFile", r.URLFile}, {"secretFile", r.SecretFile}, {"tokenFile", r.TokenFile}, {"caFile", r.CAFile}} {
		if f.file == "" {
			continue
		}
		if _, err := readSecret(f.file); err != nil {
			bad(f.key, "%v", err)
		}
	}
}

// takes says whether the receiver is to be told of an alert. named are the receivers that the
// alert's tenant names.
func (r *Receiver) takes(a *gateway.Alert, named []string) bool {
	if r.Critical && a.Severity != gateway.SeverityCritical || len(r.Kinds) > 0 && !slices.Contains(r.Kinds, a.Kind) {
		return false
	}
	switch r.Scope {
	case ScopePlatform:
		return a.Tenant == ""
	case ScopeTenants:
		return a.Tenant != "" && slices.Contains(named, r.Name)
	}
	return true
}

// address reads the webhook's URL. Files are read for each message, so that secrets can be
// renewed in place.
func (r *Receiver) address() (*url.URL, error) {
	text := r.URL
	if r.URLFile != "" {
		var err error
		if text, err = readSecret(r.URLFile); err != nil {
			return nil, err
		}
	}
	return parseURL(text)
}

// parseURL does not repeat the URL in errors: it is a secret.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the webhook's address is not a URL: write https://hooks.example.com/services/T/B/X")
	}
	return u, nil
}

func readSecret(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return text, nil
}
