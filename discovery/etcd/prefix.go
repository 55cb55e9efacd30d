package etcd

import (
	"fmt"
	"strings"
)

// folder turns what a person wrote into the prefix of the keys that are followed, or says
// why it may not be.
func folder(prefix string, reserved []string) (string, error) {
	if strings.Trim(prefix, "/") == "" {
		return "", fmt.Errorf("prefix %q is the whole etcd: name the folder of one service, such as /services/api/", prefix)
	}
	f := prefix
	if !strings.HasSuffix(f, "/") {
		f += "/"
	}
	for _, r := range reserved {
		if strings.HasPrefix(f, r) || strings.HasPrefix(r, f) {
			return "", fmt.Errorf("prefix %q reaches into %s, which is Sluice's own: register instances elsewhere, such as under /services/", prefix, r)
		}
	}
	return f, nil
}
