package convention

// The keys of the fields that the convention knows.
const (
	KeyTimestamp    = "timestamp"
	KeyAt           = "at"
	KeyLevel        = "level"
	KeyWhat         = "what"
	KeyText         = "text"
	KeyResult       = "result"
	KeyTags         = "tags"
	KeyPath         = "path"
	KeyCode         = "code"
	KeyIP           = "ip"
	KeyPort         = "port"
	KeyPeer         = "peer"
	KeyReq          = "req"
	KeyReplyBody    = "reply_body"
	KeyAcc          = "acc"
	KeyUser         = "user"
	KeyServer       = "server"
	KeySubHost      = "sub_host"
	KeyRemoteUser   = "remote_user"
	KeyRemoteServer = "remote_server"
	KeyIQ           = "iq"
	KeySubEl        = "sub_el"
	KeyC2SState     = "c2s_state"
	KeyC2SData      = "c2s_data"
	KeyFromJID      = "from_jid"
	KeyToJID        = "to_jid"
	KeyPacket       = "packet"
	KeyExmlPacket   = "exml_packet"
	KeyDuration     = "duration"
	KeyStateName    = "state_name"
	KeyState        = "state"
	KeyCallFrom     = "call_from"
	KeyMsg          = "msg"
	KeyClass        = "class"
	KeyReason       = "reason"
	KeyStacktrace   = "stacktrace"
)

// domainTable is the catalogue of the convention.
var domainTable = []Domain{
	{Name: "logger", Title: "Logger defaults", Fields: []Field{
		{
			Name: KeyTimestamp, Type: TypeTime, Meaning: "time with zone", Example: "2018-07-11T13:41:10+00:00",
			Note: "first in the line where possible, so that plain sorting works; set by the logger only",
		},
		{
			Name: KeyAt, Type: TypeText, Meaning: "code location of the log call", Example: "server.(*Hub).Run:42",
			Note: "package.function:line",
		},
		{
			Name: KeyLevel, Type: TypeLevel, Meaning: "level word of RFC 5424", Example: "warning",
			Note: "set by the logger only",
		},
	}},
	{Name: "general", Title: "Generally required", Fields: []Field{
		{
			Name: KeyWhat, Type: TypeName, Meaning: "name of the event or issue", Example: "remove_user_failed",
			Note: "required; a compile-time constant, because it is the key to group by",
		},
		{
			Name: KeyText, Type: TypeText, Meaning: "description for people", Example: "MAM failed to contact MySQL",
			Note: "optional", Enforced: true,
		},
		{Name: KeyResult, Type: TypeText, Meaning: "explanation of what", Example: "failed", Note: "optional"},
		{
			Name: KeyTags, Type: TypeList, Meaning: "subcomponent that acts and logs", Example: "[c2s, presence]",
			Note:     "choose by the needs of filtering; may name the domain that an operation concerns",
			Enforced: true,
		},
	}},
	{Name: "http", Title: "HTTP requests", Fields: []Field{
		{Name: KeyPath, Type: TypeText, Meaning: "path of the request", Example: "/api/add_user", Enforced: true},
		{Name: KeyCode, Type: TypeInteger, Meaning: "status code", Example: "200", Enforced: true},
		{Name: KeyIP, Type: TypeIP, Meaning: "IP address", Example: "127.0.0.1", Enforced: true},
		{Name: KeyPort, Type: TypePort, Meaning: "TCP or UDP port", Example: "5222", Enforced: true},
		{Name: KeyPeer, Type: TypePeer, Meaning: "address and port", Example: "127.0.0.1:5222", Enforced: true},
		{Name: KeyReq, Type: TypeObject, Meaning: "the request", Note: "give it when available"},
		{Name: KeyReplyBody, Type: TypeText, Meaning: "body of the response", Example: "ok"},
	}},
	{Name: "xmpp", Title: "XMPP", Fields: xmppFields},
	{Name: "requests", Title: "Other requests", Fields: []Field{
		{
			Name: KeyDuration, Type: TypeInteger, Meaning: "duration of an operation in milliseconds", Example: "5000",
			Note: "not for microseconds", Enforced: true,
		},
		{Name: KeyStateName, Type: TypeName, Meaning: "state of a state machine", Example: "wait_for_stream"},
		{Name: KeyState, Type: TypeAny, Meaning: "state of a server", Note: "give it a formatter"},
		{Name: KeyCallFrom, Type: TypeAny, Meaning: "who made a synchronous call", Example: "session-42"},
		{Name: KeyMsg, Type: TypeAny, Meaning: "the unexpected request", Example: "{flush 12}"},
	}},
	{Name: "exceptions", Title: "Exceptions", Fields: []Field{
		{
			Name: KeyClass, Type: TypeName, Meaning: "class of the exception", Example: "error",
			Note: "goes with reason and stacktrace; what ends in _exception",
		},
		{
			Name: KeyReason, Type: TypeAny, Meaning: "reason of the failure", Example: "http_timeout",
			Note: "also alone, in any record of a failed operation",
		},
		{
			Name: KeyStacktrace, Type: TypeText, Meaning: "stack in one line, innermost frame first",
			Example: "users.remove:31 users.(*Store).Remove:12",
		},
	}},
}

// xmppFields are the fields of the domain xmpp.
var xmppFields = []Field{
	{
		Name: KeyAcc, Type: TypeObject, Meaning: "accumulator: the stanza's context, source of other fields",
		Note: "expands to user, server, from_jid, to_jid and packet before it is written",
	},
	{
		Name: KeyUser, Type: TypeText, Meaning: "name of the local user", Example: "alice",
		Note: "normalised form when available", Enforced: true,
	},
	{
		Name: KeyServer, Type: TypeText, Meaning: "name of the local server", Example: "localhost",
		Note: "normalised form when available", Enforced: true,
	},
	{
		Name: KeySubHost, Type: TypeText, Meaning: "subhost, for MUC or pubsub", Example: "muc.localhost",
		Note: "never the same as server",
	},
	{
		Name: KeyRemoteUser, Type: TypeText, Meaning: "remote user, usually who made the IQ", Example: "alice",
		Note: "normalised form when available",
	},
	{
		Name: KeyRemoteServer, Type: TypeText, Meaning: "server of the remote user", Example: "otherhost",
		Note: "normalised form when available",
	},
	{Name: KeyIQ, Type: TypeAny, Meaning: "the IQ", Note: "when acc is not available"},
	{Name: KeySubEl, Type: TypeAny, Meaning: "child element of the IQ", Note: "only if neither acc nor iq is available"},
	{
		Name: KeyC2SState, Type: TypeAny, Meaning: "state of the client's connection",
		Note: "the older name of c2s_data; left as it is",
	},
	{Name: KeyC2SData, Type: TypeAny, Meaning: "data of the client's connection"},
	{Name: KeyFromJID, Type: TypeText, Meaning: "sender of the accumulator", Example: "alice@localhost"},
	{Name: KeyToJID, Type: TypeText, Meaning: "recipient of the accumulator", Example: "bob@localhost"},
	{
		Name: KeyPacket, Type: TypeText, Meaning: "element of the accumulator", Example: "<message>...",
		Note: "serialised XML, never a structure",
	},
	{
		Name: KeyExmlPacket, Type: TypeAny, Meaning: "the same element as a structure",
		Note: "replaced by packet before it is written",
	},
}

// reservedKeys are set by the logger itself and by nobody else: RC03.
var reservedKeys = []string{
	"module", "function", "line", KeyTimestamp, "node", "when", "pid", KeyLevel, "meta",
}

// ReservedKeys lists the keys that only the logger may set. The caller owns the list.
func ReservedKeys() []string { return append([]string(nil), reservedKeys...) }
