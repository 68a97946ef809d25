package convention

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"time"
)

// What names the event, for loggers whose message is prose. In Spile's own records the message is the name.
// The name should be a constant.
func What(name string) slog.Attr { return slog.String(KeyWhat, name) }

// Text is the description for people.
func Text(text string) slog.Attr { return slog.String(KeyText, text) }

// Result explains what.
func Result(result string) slog.Attr { return slog.String(KeyResult, result) }

// Tags name the subcomponents that act and log. The attribute keeps the list.
func Tags(tags ...string) slog.Attr {
	if tags == nil {
		tags = []string{}
	}
	return slog.Any(KeyTags, tags)
}

// At is the code location of a program counter, such as that of a [slog.Record]: package.function:line. Of no counter
// it is the empty attribute, which handlers leave out.
func At(pc uintptr) slog.Attr {
	if pc == 0 {
		return slog.Attr{}
	}
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return slog.String(KeyAt, location(f))
}

// Path is the path of an HTTP request.
func Path(path string) slog.Attr { return slog.String(KeyPath, path) }

// Code is the status code of an HTTP response.
func Code(code int) slog.Attr { return slog.Int(KeyCode, code) }

// IP is an IP address, as text.
func IP(ip netip.Addr) slog.Attr { return slog.String(KeyIP, ip.String()) }

// Port is a TCP or UDP port.
func Port(port uint16) slog.Attr { return slog.Int(KeyPort, int(port)) }

// Peer is an IP address and a port, as text.
func Peer(peer netip.AddrPort) slog.Attr { return slog.String(KeyPeer, peer.String()) }

// Req is the request as a group, of attributes or of keys and values in turn: method, target, …
func Req(args ...any) slog.Attr { return slog.Group(KeyReq, args...) }

// ReplyBody is the body of an HTTP response.
func ReplyBody(body string) slog.Attr { return slog.String(KeyReplyBody, body) }

// User is the name of the local user, normalised where that is at hand.
func User(user string) slog.Attr { return slog.String(KeyUser, user) }

// Server is the name of the local server, normalised where that is at hand.
func Server(server string) slog.Attr { return slog.String(KeyServer, server) }

// SubHost is the subhost for MUC or pubsub; never the same as the server.
func SubHost(host string) slog.Attr { return slog.String(KeySubHost, host) }

// RemoteUser is the name of the remote user, usually of who made the IQ.
func RemoteUser(user string) slog.Attr { return slog.String(KeyRemoteUser, user) }

// RemoteServer is the server of the remote user.
func RemoteServer(server string) slog.Attr { return slog.String(KeyRemoteServer, server) }

// C2SData is the data of the client's connection; give it a slog.LogValuer that keeps secrets and bulk out.
func C2SData(data any) slog.Attr { return slog.Any(KeyC2SData, data) }

// FromJID is the sender of the stanza.
func FromJID(jid string) slog.Attr { return slog.String(KeyFromJID, jid) }

// ToJID is the recipient of the stanza.
func ToJID(jid string) slog.Attr { return slog.String(KeyToJID, jid) }

// Packet is the stanza as serialised XML.
func Packet(xml string) slog.Attr { return slog.String(KeyPacket, xml) }

// ExmlPacket is the stanza as a structure; [Expand] replaces it by packet.
func ExmlPacket(element any) slog.Attr { return slog.Any(KeyExmlPacket, element) }

// IQ is the IQ, for records that have no accumulator.
func IQ(iq any) slog.Attr { return slog.Any(KeyIQ, iq) }

// SubEl is the child element of an IQ, for records that have neither accumulator nor IQ.
func SubEl(element any) slog.Attr { return slog.Any(KeySubEl, element) }

// Duration is the duration of an operation in whole milliseconds; what is less is cut off.
func Duration(d time.Duration) slog.Attr { return slog.Int64(KeyDuration, d.Milliseconds()) }

// StateName is the state of a state machine.
func StateName(name string) slog.Attr { return slog.String(KeyStateName, name) }

// State is the state of a server; give it a slog.LogValuer that keeps secrets and bulk out.
func State(state any) slog.Attr { return slog.Any(KeyState, state) }

// CallFrom says who made a synchronous call.
func CallFrom(caller string) slog.Attr { return slog.String(KeyCallFrom, caller) }

// Msg is an unexpected request.
func Msg(msg any) slog.Attr { return slog.Any(KeyMsg, msg) }

// Class is the class of an exception, such as [ClassPanic].
func Class(class string) slog.Attr { return slog.String(KeyClass, class) }

// Reason is why an operation failed. An error is logged as its text at once, so that every handler prints the same; an
// Error method that panics costs its text, not the caller.
func Reason(reason any) slog.Attr {
	if err, ok := reason.(error); ok {
		return slog.String(KeyReason, fmt.Sprint(err))
	}
	return slog.Any(KeyReason, reason)
}

// Stacktrace is a stack as text, such as that of [Stack].
func Stacktrace(stack string) slog.Attr { return slog.String(KeyStacktrace, stack) }
