// Package slardar speaks the contract of Slardar, Upyun's gateway, and of lua-resty-checkups
// inside it, so that scripts and monitors which know Slardar go on working.
//
// [New] gives a handler for /compat/slardar/: upstreams by POST, PUT and DELETE, the status
// page, and feedback on servers. Bodies are translated into ordinary objects by pure
// functions ([Revise], [Status]), and written and judged by whoever gave the [Config]: there
// is no second store, no second validation and no second health.
//
// docs/slardar.md says what is different, and which test shows which row of the contract.
package slardar
