// Package status writes the addresses of the controller to the status of Ingresses, and Problems to
// Events. All replicas watch, but only the holder of the Lease writes.
//
// Read reporter.go first, which decides when a replica writes. election.go has the Lease. writer.go
// writes the status, addresses.go and pods.go find the addresses, and events.go writes Events.
package status
