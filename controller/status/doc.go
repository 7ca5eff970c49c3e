// Package status tells the cluster what became of its Ingresses: the address at which they are
// reached, in their status, and what is wrong with them, as Events. All replicas watch; only the
// one that holds the Lease writes.
//
// Read reporter.go first: who writes, and when. election.go is about the Lease. writer.go writes
// status, addresses.go and pods.go know what to write there, and events.go writes Events.
package status
