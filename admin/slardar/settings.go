package slardar

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// settings are those of an upstream that Slardar and Sluice both have. A nil one is not in
// the body.
type settings struct {
	Enable      *bool     `json:"enable"`       // probes; default true
	Typ         *string   `json:"typ"`          // general, http, redis or mysql; default general
	Timeout     *seconds  `json:"timeout"`      // of probes, and of connecting; default 5
	ReadTimeout *seconds  `json:"read_timeout"` // silence of a server
	Sensibility *int      `json:"sensibility"`  // failed probes that take a server out; default 1
	Protected   *bool     `json:"protected"`    // when all fail, some are tried anyway; default true
	Try         *int      `json:"try"`          // tries of one request; default 2
	TryTimeout  *seconds  `json:"try_timeout"`  // in which a request is tried again; default 5, 0 is any time
	HTTPOpts    *httpOpts `json:"http_opts"`
	Mode        *string   `json:"mode"` // of balancing; default weighted round robin
}

// httpOpts are those of typ "http".
type httpOpts struct {
	// Query is the request as it goes over the wire. Without it a connection suffices.
	Query string `json:"query"`
	// Statuses that are false count as failures; all others do not.
	Statuses map[string]bool `json:"statuses"`
}

// seconds is a time span, written as a number of seconds.
type seconds gateway.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("%s is not a number of seconds", b)
	}
	if f < 0 || f > 1e6 {
		return fmt.Errorf("%s seconds are outside 0 to 1000000", b)
	}
	*s = seconds(f * float64(time.Second))
	return nil
}

// check refuses what has the right type and makes no sense.
func (s *settings) check() error {
	for _, n := range []struct {
		key   string
		value *int
	}{{"sensibility", s.Sensibility}, {"try", s.Try}} {
		if n.value != nil && *n.value < 1 {
			return fmt.Errorf("%s: %d is below 1", n.key, *n.value)
		}
	}
	for _, d := range []struct {
		key   string
		value *seconds
	}{{"timeout", s.Timeout}, {"read_timeout", s.ReadTimeout}} {
		if d.value != nil && *d.value == 0 {
			return fmt.Errorf("%s: 0 would fail at once", d.key)
		}
	}
	return nil
}

// heartbeat is the check that Slardar makes when nothing is said: a connection every five
// seconds, out after one failure and back after one success.
func heartbeat() *gateway.ActiveCheck {
	return &gateway.ActiveCheck{Type: "tcp", Interval: gateway.Duration(5 * time.Second), Timeout: gateway.Duration(5 * time.Second), Rise: 1, Fall: 1}
}

// begin sets what Slardar has when nothing is said.
func begin(spec *gateway.UpstreamSpec) {
	noSlowStart, whenNobodyIsLeft := gateway.Duration(0), 0
	spec.SlowStart = &noSlowStart
	spec.Health = gateway.Health{Active: heartbeat(), Passive: &gateway.PassiveCheck{Disabled: true}, PanicPercent: &whenNobodyIsLeft}
	spec.Balance, spec.Timeouts = gateway.Balance{}, gateway.Timeouts{}
	spec.Retry = gateway.Retry{Attempts: 2, Timeout: gateway.Duration(5 * time.Second), On: []string{gateway.RetryConnect, gateway.RetryReset, gateway.RetryTimeout, gateway.Retry502}}
}

// apply carries the settings into a spec, whose checks are copies by now.
func (s *settings) apply(spec *gateway.UpstreamSpec) (notes []string, err error) {
	if s.Timeout != nil {
		spec.Timeouts.Connect = gateway.Duration(*s.Timeout)
	}
	if s.ReadTimeout != nil {
		spec.Timeouts.Response = gateway.Duration(*s.ReadTimeout)
	}
	if s.Protected != nil {
		spec.Health.NoPanic = !*s.Protected
	}
	if s.Mode != nil {
		spec.Balance = balanceOf(*s.Mode)
	}
	if s.Enable != nil && *s.Enable && spec.Health.Active == nil {
		spec.Health.Active = heartbeat()
	}
	if s.Enable != nil && !*s.Enable {
		spec.Health.Active = nil
	}
	if spec.Health.Active == nil {
		if s.Typ != nil || s.Sensibility != nil || s.HTTPOpts != nil {
			notes = append(notes, "typ, sensibility, http_opts: not used while enable is false")
		}
		return notes, nil
	}
	return s.probe(spec.Health.Active)
}

// hashHeader is the header that mode header_hash goes by.
const hashHeader = "X-Hash-Key"

// balanceOf is a mode as a policy. One that is not known is refused where every policy is.
func balanceOf(mode string) gateway.Balance {
	switch mode {
	case "hash", "url_hash":
		return gateway.Balance{Policy: gateway.BalanceHash, On: gateway.HashURI}
	case "ip_hash":
		return gateway.Balance{Policy: gateway.BalanceHash, On: gateway.HashIP}
	case "header_hash":
		return gateway.Balance{Policy: gateway.BalanceHash, On: gateway.HashHeader, Name: hashHeader}
	}
	return gateway.Balance{Policy: mode}
}

// probe carries the settings of probes into a check.
func (s *settings) probe(a *gateway.ActiveCheck) (notes []string, err error) {
	if s.Timeout != nil {
		a.Timeout = gateway.Duration(*s.Timeout)
	}
	if s.Sensibility != nil {
		a.Fall = *s.Sensibility
	}
	if s.Typ != nil && *s.Typ != "http" {
		asks(a, *s.Typ)
		if *s.Typ == "general" {
			a.Type = "tcp"
		}
		a.Replication = *s.Typ == "redis" // as Slardar asks redis, always
	}
	switch {
	case s.HTTPOpts == nil:
		return nil, nil
	case s.Typ == nil && a.Type != "http", s.Typ != nil && *s.Typ != "http":
		return []string{"http_opts: not used without typ http"}, nil
	case s.HTTPOpts.Query == "":
		if len(s.HTTPOpts.Statuses) > 0 {
			notes = append(notes, "http_opts.statuses: not used without http_opts.query")
		}
		asks(a, "tcp")
		return notes, nil
	}
	asks(a, "http")
	if a.Expect, a.ExpectNot, err = statuses(s.HTTPOpts.Statuses); err != nil {
		return nil, err
	}
	return question(a, s.HTTPOpts.Query)
}

// asks makes the check one of another type, which knows nothing of the fields of the former.
func asks(a *gateway.ActiveCheck, typ string) {
	*a = gateway.ActiveCheck{Type: typ, Interval: a.Interval, Timeout: a.Timeout, Rise: a.Rise, Fall: a.Fall, Initial: a.Initial}
}

// question reads a probe's request as it goes over the wire.
func question(a *gateway.ActiveCheck, query string) (notes []string, err error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(query)))
	if err != nil {
		return nil, errors.New(`http_opts.query: this is not an HTTP request: write "GET /path HTTP/1.1\r\nHost: name\r\n\r\n"`)
	}
	a.Path, a.Host = r.RequestURI, r.Host
	if r.Method != http.MethodGet {
		notes = append(notes, "http_opts.query: probes ask by GET, not by "+r.Method)
	}
	for name := range r.Header {
		switch name {
		case "Connection", "User-Agent", "Accept": // the probe's own
		default:
			if a.Headers == nil {
				a.Headers = map[string]string{}
			}
			a.Headers[name] = r.Header.Get(name)
		}
	}
	return notes, nil
}

// statuses lists those that are blocked. Without any, every status is a success.
func statuses(list map[string]bool) (all, blocked []string, err error) {
	for text, ok := range list {
		code, err := strconv.Atoi(text)
		if err != nil || code < 100 || code > 599 {
			return nil, nil, fmt.Errorf("http_opts.statuses: %q is not a status from 100 to 599", text)
		}
		if !ok {
			blocked = append(blocked, strconv.Itoa(code))
		}
	}
	if blocked == nil {
		return []string{"100-599"}, nil, nil
	}
	slices.Sort(blocked)
	return nil, blocked, nil
}
