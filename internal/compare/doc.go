// Package compare compares what scenarios came to on two clusters. An embedded cluster stands in for a real one only as far as
// the same scenarios end alike on both.
//
// Read compare.go: Compare puts two lists of reports side by side. table.go and json.go write what it finds.
package compare
