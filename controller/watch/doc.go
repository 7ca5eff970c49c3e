// Package watch keeps a copy of the API objects that routing looks at, and says when one of them changed. It knows nothing
// about what they mean: whoever hears the signal lists everything and builds a new table.
//
// Ingresses, their classes, Services and EndpointSlices are all watched; of Secrets and ConfigMaps only those that a table
// refers to.
//
// Read watch.go first, then settle.go; references.go, follower.go and followed.go are about single objects.
package watch
