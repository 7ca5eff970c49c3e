// Package workspace keeps the directory in which a student works on a lab: a copy of the lab's start/, which git does not see.
// Nothing that a student has written is ever lost: what would be overwritten is kept beside it as NAME.mine.
package workspace
