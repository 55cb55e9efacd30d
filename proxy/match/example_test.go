package match_test

import (
	"fmt"

	"github.com/sluice-gateway/sluice/proxy/match"
)

func ExamplePaths() {
	var paths match.Paths[string]
	paths.AddExact("/api/health", "health")
	paths.AddPrefix("/api", "api")
	paths.AddPrefix("/", "site")

	for _, p := range []string{"/api/health", "/x/..//api/v1", "/apix", "/%61pi;v=2"} {
		_, matched, _, err := match.Normalise([]byte(p), nil)
		route, _ := paths.Find(matched)
		fmt.Println(p, route, err)
	}
	// Output:
	// /api/health health <nil>
	// /x/..//api/v1 api <nil>
	// /apix site <nil>
	// /%61pi;v=2 api <nil>
}
