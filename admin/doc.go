// Package admin is the HTTP interface for people, the command line and the web UI.
//
// [New] gives one handler: /api/v1 as openapi.yaml describes it, the event stream, and the
// UI for every other path. It takes in the parts that know things, each as a small
// interface of this package: [Store] holds what people want, [Control] what is decided from
// it, [Fleets] what nginx nodes run. Whoever wires them owns them.
//
// Every answer that is not a success is a problem document with a stable code; see
// [WriteError]. Who is calling is decided in package auth; routing, types and the checks of
// requests come from openapi.yaml by way of package api. Storing, deciding and mirroring
// are left to those parts.
package admin
