// Package webadmin carries the built admin UI inside the binary.
//
// [Dist] is the tree that "npm run build" writes: index.html, hashed files under assets/
// and nothing else that matters. Without Node the tree holds only .keep, so Go always
// builds; whoever serves Dist finds out by the missing index.html and says how to build it.
//
// index.html carries <meta name="csp-nonce" content="__CSP_NONCE__">: the server replaces
// the placeholder with a fresh nonce per answer and names the same nonce in style-src.
// Serving, caching and headers belong to package admin.
package webadmin

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is the built UI, rooted at dist.
var Dist = mustSub(files, "dist")

func mustSub(f embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(f, dir)
	if err != nil {
		panic("webadmin: dist is embedded at build time: " + err.Error())
	}
	return sub
}
