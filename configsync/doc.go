// Package configsync mirrors the gateway's state to fleets of nginx.
//
// [Controller.Apply] takes in snapshots and renders for every node the bundle that it
// should run. Agents (package agent) ask for it through [Controller.Handler], apply it and
// report; [Controller.Nodes] says of each node what is desired, on disk and running, which
// files were changed by hand, and which bundle it refused. A refusal becomes a
// [gateway.Problem] on the object whose text nginx complained about.
//
// Rendering and parsing are in package nginxconf. Who may call the handler is checked by
// the package that mounts it.
package configsync
