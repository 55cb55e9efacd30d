package health

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// roles are what this binary does instead of testing when a test starts it again: measuring
// needs processes that do one thing only.
var roles = map[string]func() error{"prober": runProber, "responder": runResponder, "blackhole": runBlackhole}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
