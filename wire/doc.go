// Package wire holds what crosses a network between agents, servers and viewers: the messages, their limits and the
// error codes. It is data and constants; the encoding of a message is part of the message, behaviour is not.
//
// There are three conversations:
//
//   - the REST calls of people and programs ([StartRequest], [Session], [Agent], [Error]);
//   - the stream that a viewer reads: one JSON object a frame, [Log] or [Control];
//   - the agent link: binary messages over one WebSocket, see [LinkKind].
//
// spec/ has the same as OpenAPI and JSON schema; a test holds both against the types here.
package wire
