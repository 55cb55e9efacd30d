// Package sandbox lets a real nginx judge a rendered tree where it can do no harm.
//
// [Sandbox.Check] takes in a tree and the facts of the node that it is for, and returns
// what nginx complains about: "nginx -t" runs on a copy of the tree as an unprivileged user,
// in user, mount, network and process namespaces of its own, with limits on its time, memory
// and files. It sees its own binary, libraries and modules and the copy, all read-only;
// certificates and keys are stubs of the same type and size. Where the kernel grants no
// namespaces the sandbox goes without, step by step, and [Sandbox.Status] says so.
//
// The process that sets the sandbox up is the caller's own binary, started again: its main
// function calls [Init] before anything else.
//
// Which part of a tree is at fault, and what to do about it, is decided in package configsync.
package sandbox
