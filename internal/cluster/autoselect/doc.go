// Package autoselect says which provider a cluster belongs to when nobody named one (`--cluster auto`): the one that has a
// cluster of the name already, else the most real one that can make a cluster on this machine without minutes of work,
// else the next. It makes and removes nothing itself.
//
// Read choice.go: Find looks at what exists, Choose at what could.
package autoselect
