// Package strictyaml reads the lab's own YAML files the way a good compiler reads source: every fault is found at
// once, and each carries the file, the line, the column, the path of the field and, for a name that is nearly right,
// the name that was probably meant.
//
// The usual decoders stop at the first unknown field and know positions only for syntax errors; somebody who writes a
// scenario for the first time deserves better. It reads a subset on purpose: one document, no anchors and no merge
// keys, so that a line of a file means what it says.
//
// Read decode.go for how Go types steer it, then fault.go for what comes out.
package strictyaml
