//go:build tools

// Package caddy pins the Caddy that the benchmarks build. It is a module of its own, so that
// Sluice does not get Caddy's dependencies.
package caddy

import _ "github.com/caddyserver/caddy/v2/cmd/caddy"
