// Command etcd is the etcd server, for the test bed's kube-apiserver to store its objects
// in. It is here because go.etcd.io/etcd/server/v3 is a library module: its own main is in
// a module that cannot be built by import path with our versions.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
