package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

// fewHosts is what many hosts are compared with.
const fewHosts = 10

// hosts is the trial of what ten thousand hosts cost: beside each contender runs a twin
// with ten. The contender starts anew in each turn; Sluice finds its data of the last time.
type hosts struct{ work requests }

func (t hosts) takes(b *bench) time.Duration { return 2*b.load() + 4*time.Second }

func (t hosts) enter(ctx context.Context, c *contender) error {
	set := c.site.setting
	set.Hosts = fewHosts
	twin, err := c.st.newContender(c.peer, filepath.Join(c.st.dir, "few"), set)
	if err != nil {
		return err
	}
	c.twin = twin
	if err := twin.launch(ctx); err != nil {
		return err
	}
	if err := c.launch(ctx); err != nil {
		return err
	}
	c.st.say("%s: %s serves %d hosts for the first time after %.0f ms", c.st.sc.Name, c.name, len(c.site.Hosts), millis(c.started))
	return c.end()
}

func (t hosts) turn(ctx context.Context, c *contender, seconds int) (v values, err error) {
	if err := c.launch(ctx); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, c.end())
	}()
	for _, one := range []*contender{c.twin, c} { // connections to the origins are made here
		if _, err := t.work.load(ctx, one, 1); err != nil {
			return nil, fmt.Errorf("warm up: %w", err)
		}
	}
	few, _, err := c.twin.measure(ctx, t.work, seconds)
	if err != nil {
		return nil, fmt.Errorf("with %d hosts: %w", fewHosts, err)
	}
	many, _, err := c.measure(ctx, t.work, seconds)
	if err != nil {
		return nil, err
	}
	many[fewCPU] = few[cpuMicros]
	many[matchRatio] = many[cpuMicros] / few[cpuMicros]
	many[startMillis] = millis(c.started)
	return many, nil
}

// hostsProbe asks for the first and the last host.
func hostsProbe(ctx context.Context, c *contender) error {
	for _, i := range []int{0, len(c.site.Hosts) - 1} {
		answer, text, err := askOnce(ctx, c, http.MethodGet, false, c.site.Hosts[i].Name, nil)
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK || text != c.st.body {
			return fmt.Errorf("host %s: status %d with %d bytes", c.site.Hosts[i].Name, answer.StatusCode, len(text))
		}
	}
	return nil
}
