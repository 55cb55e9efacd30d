// Command sluice is a dynamic reverse proxy and ingress gateway: proxy, control plane, nginx
// agent and command line in one binary.
//
// app.go connects the parts; each verb of the command line has a file of its own. What the
// parts do is told in their packages.
package main
