// Package e2e runs the real binary on real sockets and shows what the product promises.
package e2e
