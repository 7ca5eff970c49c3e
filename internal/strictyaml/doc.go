// Package strictyaml reads the lab's own YAML files and reports all errors at once. Each diagnostic has the file, the line, the
// column, and the path of the field. An unknown name gets a suggestion if a similar name exists.
//
// Other decoders stop at the first unknown field, and know positions only for syntax errors. This package reads a subset: one
// document, without anchors and merge keys.
//
// Read decode.go for how Go types drive it, then diagnostic.go for the result.
package strictyaml
