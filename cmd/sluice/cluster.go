package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/discovery/kubernetes"
)

// check says what is wrong with how a cluster is reached.
func (c ClusterConfig) check() error {
	ways := 0
	for _, given := range []bool{c.Kubeconfig != "", c.InCluster, c.Server != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return errors.New("give exactly one of kubeconfig, inCluster and server")
	case c.Server != "" && c.TokenFile == "":
		return errors.New("server needs tokenFile: the file with a service account's token")
	case c.Server == "" && c.TokenFile+c.CAFile != "":
		return errors.New("tokenFile and caFile belong to server: give its URL, or leave them out")
	case c.Stall != 0 && c.Stall.Std() < 2*time.Minute:
		return fmt.Errorf("stall: %s is less than 2m: a quiet API server says something once a minute", c.Stall.Std())
	case c.Resync != 0 && c.Resync.Std() < time.Minute:
		return fmt.Errorf("resync: %s is less than 1m: every list is work for the API server", c.Resync.Std())
	}
	return nil
}

func (c ClusterConfig) source() kubernetes.Config {
	cfg := kubernetes.Config{Name: c.Name, Kubeconfig: c.Kubeconfig, InCluster: c.InCluster, Stall: c.Stall.Std(), Resync: c.Resync.Std()}
	if c.Server != "" {
		cfg.Token = &kubernetes.Token{Server: c.Server, CAFile: c.CAFile, TokenFile: c.TokenFile}
	}
	return cfg
}
