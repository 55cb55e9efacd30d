// Package manifest reads and writes object files.
//
// Files hold YAML or JSON, several documents each. Reading is strict: an unknown or repeated
// key, a wrong type or a missing name is an error with file, line and column and the lines
// around it, because a key that is silently ignored is a change that silently does not
// happen. What was read remembers its position, so that later problems can name it.
//
// Whether objects make sense together is decided by package gateway.
package manifest
