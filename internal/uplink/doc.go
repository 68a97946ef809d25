// Package uplink is what an agent and a process with the library share: the link to a server and the numbered,
// journalled, credited transfer of a session's events over it.
//
//   - [Link] holds one WebSocket to the server, proves the agent's key, and reconnects by itself.
//   - [Outbox] numbers a session's events, packs them into items (batches and gaps), journals each item before it is
//     sent, sends within the credit that the server granted, and keeps items until they are acknowledged.
//   - [Journal] is the record that survives the death of the process. An item is rebuilt from it, never from a fresh
//     read, so that a resend is the same batch or an announced gap.
package uplink
