package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// choosePort says which port of each slice is meant: the one with the wanted name, else
// the one with the wanted number, and without a wish the only one. Slices of one Service
// may give one name to different numbers, as Pods do during a rollout. When no port is
// meant, the problem says why.
func choosePort(ref gateway.KubernetesDiscover, list map[string]*slice) (wanted func(port) bool, problem string) {
	known := portsOf(list)
	byName := func(name string) func(port) bool { return func(p port) bool { return p.name == name } }
	byNumber := func(p port) bool { return strconv.Itoa(int(p.number)) == ref.Port }
	none := func(port) bool { return false }
	switch {
	case len(known) == 0 && !anyEndpoint(list):
		return none, "" // scaled to zero: such slices have neither
	case len(known) == 0:
		return none, fmt.Sprintf("Service %s has no TCP port", serviceName(ref))
	case ref.Port == "" && known[0].name == known[len(known)-1].name:
		return byName(known[0].name), ""
	case ref.Port == "":
		return none, fmt.Sprintf("Service %s has several ports: set port to one of %s", serviceName(ref), describe(known))
	case slices.ContainsFunc(known, byName(ref.Port)):
		return byName(ref.Port), ""
	case slices.ContainsFunc(known, byNumber):
		return byNumber, ""
	}
	return none, fmt.Sprintf("Service %s has no TCP port %q in its EndpointSlices: use one of %s", serviceName(ref), ref.Port, describe(known))
}

// portsOf are the different ports of all slices, by name and number.
func portsOf(list map[string]*slice) []port {
	different := map[port]bool{}
	for _, s := range list {
		for _, p := range s.ports {
			different[p] = true
		}
	}
	return slices.SortedFunc(maps.Keys(different), func(a, b port) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.number, b.number))
	})
}

func anyEndpoint(list map[string]*slice) bool {
	for _, s := range list {
		if len(s.endpoints) > 0 {
			return true
		}
	}
	return false
}

// describe lists ports for people: "http" (8080), "metrics" (9090).
func describe(ports []port) string {
	text := make([]string, len(ports))
	for i, p := range ports {
		if p.name == "" {
			text[i] = strconv.Itoa(int(p.number))
		} else {
			text[i] = fmt.Sprintf("%q (%d)", p.name, p.number)
		}
	}
	return strings.Join(text, ", ")
}
