// Package progress remembers how far a student is, in one JSON file for all labs.
//
// The file survives its writer: it is replaced as a whole by a synced copy, so that whoever is killed at any moment leaves
// the old state or the new one, and a lock keeps two writers from losing each other's labs. A file that cannot be read is
// kept aside under the name FILE.damaged and begun anew.
//
// Read progress.go for what is remembered, store.go for how.
package progress
