// Package nslookup asks name servers from inside a pod, and shows what the resolver library hides: which
// server was asked, and which of the search domains made a short name complete.
//
// It reads resolv.conf as the resolver does (config.go), sends its questions itself (exchange.go) and
// prints answers in the manner of BIND's nslookup (nslookup.go).
package nslookup
