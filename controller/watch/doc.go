// Package watch caches the API objects that routing reads, and signals changes. It does not
// interpret the objects: the receiver of the signal lists all of them and builds a new table.
//
// It watches all Ingresses, IngressClasses, Services, and EndpointSlices. Of Secrets and
// ConfigMaps, it watches only those that a table refers to.
//
// Read watch.go first, then settle.go. references.go, follower.go, and followed.go watch single
// objects.
package watch
