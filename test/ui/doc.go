// Package ui runs the browser tests of web-admin against the real binary with the real UI in
// it, in Debian's chromium.
package ui
