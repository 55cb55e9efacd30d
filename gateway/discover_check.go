package gateway

import (
	"fmt"
	"strconv"
	"strings"
)

// check says what is wrong with the names: nothing of a cluster can have them.
func (d *KubernetesDiscover) check() error {
	for _, n := range []struct{ what, name string }{{"namespace", d.Namespace}, {"service", d.Service}} {
		if !kubernetesLabel(n.name) {
			return fmt.Errorf("%s %q is not a name in Kubernetes: write up to 63 lower-case letters, digits and hyphens", n.what, n.name)
		}
	}
	if d.Port == "" || kubernetesLabel(d.Port) && strings.Trim(d.Port, "0123456789") != "" {
		return nil
	}
	if n, err := strconv.Atoi(d.Port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("port %q is neither a port's name nor a number from 1 to 65535", d.Port)
	}
	return nil
}

// check refuses what would be a whole etcd. What else is out of bounds, the registry knows.
func (d *EtcdDiscover) check() error {
	if strings.Trim(d.Prefix, "/") == "" {
		return fmt.Errorf("prefix %q is the whole etcd: name the folder of one service, such as /services/api/", d.Prefix)
	}
	return nil
}

// kubernetesLabel says whether s is a label of RFC 1123, as names in Kubernetes are.
func kubernetesLabel(s string) bool {
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	if s == "" || len(s) > 63 || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !alnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}
