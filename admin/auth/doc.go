// Package auth says who is calling the admin API.
//
// It takes in bearer tokens and gives out an [Identity]. The first administrator's token is
// made at the first start by [LoadOrCreate] and kept in the data directory. [Tokens.Require]
// guards any handler, so the agents' interface stands behind the same check.
//
// What an identity may do is decided by package admin.
package auth
