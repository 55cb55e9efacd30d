// Package quickstart holds the example that `make run` starts: object files for two tenants,
// the process configuration and a script that runs Sluice with the sample backends.
//
// There is no code here; the tests hold the files to what Sluice accepts and the script to
// ending everything that it started.
package quickstart
