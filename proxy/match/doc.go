// Package match finds what serves a request by its host and path.
//
// [Hosts] maps a host to a value: the exact name, else the longest wildcard, else "*".
// [Paths] maps a path to a value: the exact path, else the longest prefix of whole
// elements. Both are built once, only read after that, and allocate nothing.
//
// # Normalised paths
//
// [Normalise] makes two forms of a path, so that nothing walks around a match.
//
// The forward form is what the origin gets. It is the path as it came, except that
// percent-encoded unreserved characters are decoded (%2e is ".", %41 is "A") and dot
// segments are removed (RFC 3986 sections 5.2.4 and 6.2.2). %2f stays encoded and "//"
// stays double, since both mean something to some origins (package names, object keys).
//
// The match form is what rules are compared with. It reads the path the way the most
// liberal origin could: everything is decoded once, %2f is "/", repeated slashes are one,
// and the parameters of a segment (";" and what follows) are dropped. So /admin,
// //admin, /%61dmin, /%2fadmin, /x/../admin and /admin;v=1 are all matched as /admin.
//
// What origins are known to read in different ways is refused: a dot segment hidden in
// %2f, behind ";" or by encoding it twice (..%2f, ..;, %252e%252e), one that climbs above the
// root or over an empty segment, encoded control characters, overlong UTF-8, and the
// backslash in either form. docs/paths.md has a table of examples.
package match
