package etcd

import (
	"fmt"
	"slices"
	"strings"
)

// folder turns what a person wrote into the prefix of the keys that are followed, or says
// why it may not be: it is in none of allowed, unless that is empty, or reaches into one of
// reserved.
func folder(prefix string, reserved, allowed []string) (string, error) {
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
	inside := func(a string) bool { return strings.HasPrefix(f, strings.TrimSuffix(a, "/")+"/") }
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, inside) {
		return "", fmt.Errorf("prefix %q is outside of what the registry's prefixes in sluice.yaml allow: follow one below %s", prefix, strings.Join(allowed, " or "))
	}
	return f, nil
}
