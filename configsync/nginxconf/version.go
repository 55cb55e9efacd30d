package nginxconf

import (
	"strconv"
	"strings"
)

// atLeast says whether the node's nginx has a version, such as "1.25.1", or a newer one. A
// node that does not say is taken for an old one: what is old works in new versions, too.
func (r *renderer) atLeast(version string) bool {
	have, want := strings.Split(r.facts.NginxVersion, "."), strings.Split(version, ".")
	for i, part := range want {
		w, _ := strconv.Atoi(part) // they are written in this package
		h := -1
		if i < len(have) {
			digits := have[i][:len(have[i])-len(strings.TrimLeft(have[i], "0123456789"))]
			if n, err := strconv.Atoi(digits); err == nil {
				h = n
			}
		}
		if h != w {
			return h > w
		}
	}
	return true
}
