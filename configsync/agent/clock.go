package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// clocksAgree is how far clocks may be apart before it is worth a word.
const clocksAgree = time.Minute

// leastOff is what the network and the Date field's whole seconds may account for.
const leastOff = 5 * time.Second

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// clock is the control plane's, as far as it is known: it has the say about certificates.
func (i *identity) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now().Add(i.behind)
}

// noteClock learns from the Date field of an answer (RFC 9110 section 6.6.1).
func (i *identity) noteClock(h http.Header) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	apart := at.Sub(i.now()).Round(time.Second)
	if apart.Abs() < leastOff {
		apart = 0
	}
	i.mu.Lock()
	news := apart.Abs() >= clocksAgree && (i.behind-apart).Abs() >= clocksAgree
	// One that moves by no more than leastOff is the same, so that reports do not change with
	// every answer.
	if apart == 0 || (i.behind-apart).Abs() >= leastOff {
		i.behind = apart
	}
	i.mu.Unlock()
	if news {
		i.cfg.Log.Warn("the clocks of this machine and of the control plane differ: set the one that is wrong (NTP)", "here", stamp(i.now()), "control_plane", stamp(at))
	}
}

// ahead is this machine's clock minus the control plane's. People who read the node's logs and
// files beside its reports should know of it.
func (i *identity) ahead() gateway.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return gateway.Duration(-i.behind)
}

// apart says how the clocks differ, if they do.
func (i *identity) apart() string {
	i.mu.Lock()
	behind := i.behind
	i.mu.Unlock()
	if behind.Abs() < clocksAgree {
		return ""
	}
	return fmt.Sprintf("the clocks differ by %s: this machine's says %s, the control plane's %s; set the one that is wrong (NTP)",
		behind.Abs().Round(time.Second), stamp(i.now()), stamp(i.now().Add(behind)))
}

// explainClock asks the control plane for the time, after its certificate was not good by this
// machine's clock. Nothing secret is sent, and nothing that comes is used for anything else.
func (i *identity) explainClock(ctx context.Context, failed *clockError) error {
	ask := i.http.make(func(chain []*x509.Certificate) error {
		if len(chain) == 0 || !chain[0].Equal(failed.leaf) {
			return errors.New("another certificate than just before")
		}
		return nil
	})
	ask.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = nil
	defer ask.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.cfg.Server+protocol.PathEnrol, nil)
	if err != nil {
		return err
	}
	here := fmt.Sprintf("%v, and this machine's clock says %s", failed, stamp(i.now()))
	res, err := ask.Do(req)
	if err != nil {
		return fmt.Errorf("%s: is it right? (asking the control plane for the time: %w)", here, err)
	}
	_ = res.Body.Close()
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return fmt.Errorf("%s: is it right?", here)
	}
	if apart := at.Sub(i.now()); apart.Abs() >= clocksAgree {
		return fmt.Errorf("%s while the control plane's says %s: the clocks differ by %s. Set the one that is wrong (NTP); the agent tries again by itself", here, stamp(at), apart.Abs().Round(time.Second))
	}
	return fmt.Errorf("%s, as does the control plane's: its certificate has to be renewed there", here)
}
