// Package controller keeps a cluster's Ingresses and Sluice in step.
//
// It watches IngressClasses, Ingresses, Services, TLS Secrets and Namespaces of one cluster,
// has package ingress translate them, and hands the objects to a callback. Back go the
// addresses, into the status of each Ingress, and what is wrong, as events on the resource;
// each only when it changes, and by one process at a time: the one that holds a Lease in the
// cluster, since it is the cluster that all who would write have in common.
//
// Nothing is handed over before every kind of resource is completely known, and a lost
// connection leaves everything as it is. Secrets are kept in memory and never logged.
//
// What resources mean is decided by package ingress, endpoints are followed by package
// kubernetes.
package controller
