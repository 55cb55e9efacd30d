// Package protocol holds what agents and the control plane say to each other.
//
// An agent keeps one request open: POST [PathSync] carries its report and is answered when
// the bundle it should run changes, or after [MaxWait]. It fetches a bundle with GET
// [PathBundle], and uploads what its nginx loads with PUT [PathTree] when asked to. With POST
// [PathOutcomes] it tells once a second how exchanges with endpoints ended, if any did. An
// agent whose nginx takes endpoint sets is answered when they change, too, and fetches what
// changed with GET [PathLive]. All bodies are JSON; errors are RFC 9457 problem documents with
// a stable code.
//
// All of it goes over TLS 1.3. A node shows a certificate that names it ([Peer]), which it got
// for a [Token] with POST [PathEnrol] and renews with POST [PathRenew]. A [Bundle] comes with
// an [Envelope], which says for whom it is and where it stands in the line of its fleet's.
//
// Who gets certificates is decided by package enrol.
package protocol
