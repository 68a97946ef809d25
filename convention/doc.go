// Package convention holds the naming and field conventions of structured logs: what an event is called, which fields
// it carries and of which types, and a checker that says where a record departs from them. The conventions are those
// of MongooseIM, put in Go's terms.
//
// # A record
//
// A record has a level, a name, and fields. The name, what, is the key by which people group and search; it is a
// constant in lower snake case, often the function and the outcome: remove_user_failed. In a [log/slog] record the
// message is the name, and everything that varies is a field. Where a logger's message must be prose, [What] gives the
// name as a field.
//
//	logger.LogAttrs(ctx, slog.LevelError, "remove_user_failed",
//		convention.User("alice"), convention.Server("localhost"), convention.Reason(err))
//
// Names of failures end in _failed or in a more specific outcome (_timeout), those of phases in _starting, _started,
// _stopping and _stopped, those of outcomes in _result. A short prefix may name the subsystem (mam_, auth_); the
// complete module name may not.
//
// # Fields
//
// [NewCatalogue] gives the known fields by domain (logger defaults, general, HTTP, XMPP, other requests, exceptions) as
// data, and takes further domains. For each field there is a function that makes the attribute with the right type:
// [Duration] counts whole milliseconds, [IP] and [Peer] take addresses and print text, [Tags] is a list.
//
// [UnexpectedCall], [UnexpectedCast] and [UnexpectedInfo] make the records of requests that nobody expected,
// [Exception] and [Recover] those of exceptions. They are whole records: [Entry.Log] logs one at its level and with the
// caller's place in the code.
//
// # Accumulator
//
// A program that handles stanzas gives their context once, as [Acc]. [NewExpander], [Expand] and [ExpandRecord] replace
// it by user, server, from_jid, to_jid and packet, and exml_packet by packet; what the caller gave explicitly wins.
//
// # Checker
//
// [New] makes a [Checker] from a [Config]; the zero Config is the convention as published. [Checker.CheckName] judges a
// name, [Checker.CheckRecord] a level and fields; [FieldsOfAttrs] and [FieldsOfEvent] make the latter from records of
// slog and from parsed lines. Each [Finding] has the id of its rule, a severity, a message and, where one can be
// derived, a suggestion; a suggested name passes the checker. [Rules] lists the rules. EV01, EV02 and RC07 are errors,
// the rest warnings or advice, because even the source of these conventions breaks several of them in places.
//
// # Decisions
//
//   - RC05 holds exactly the types that the convention states (see [Field].Enforced), and any of a user's own domains.
//   - A [time.Duration] is no integer, because loggers print it as 1.5s. A float that is whole is one, because decoded
//     JSON knows only floats; a [encoding/json.Number] with a decimal point is not.
//   - RC07 takes the words in lower case. The levels of Spile have one more, trace: allow it by Config.Levels.
//   - Both timestamp and when are reserved, and at is a field in every format.
//   - RC08, RC09 and RC11 are about what formatters, [At] and [Expand] make of a record. The checker cannot see them
//     broken; tests of those parts hold them.
//
// # Configuration file
//
// The package takes its settings as a struct and depends on nothing but the standard library and the event model, so
// that programs which log need nothing else. The package conventionfile reads the same settings from YAML for tools.
package convention
