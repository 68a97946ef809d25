// Package lint holds an analyzer for the log calls of Go programs: calls of log/slog, and of the parts of Spile that
// name events and fields. It checks at compile time what package convention checks on records, by the same rules.
//
// # What is checked
//
//   - The name of the event, which is the message or the field what, is a constant (LC01) and keeps EV01 to EV11, where
//     the module is the name of the package.
//   - Arguments come in pairs of a text and a value, or as attributes (LC02); keys are constants (LC03) and not given
//     twice in one call (LC04).
//   - The fields keep RC01 to RC13 as far as the source tells: constants by their values, all else by static type.
//     What depends on a field being absent is judged only where every attribute of the call is known, and not where
//     attributes come from a variable or a slice.
//   - A comment that switches a rule off names the rule and a reason (LC05).
//
// Calls that make records are those of slog's functions and of methods of slog.Logger, slog.NewRecord with a constant
// (handlers and bridges hand on what others gave), and the helpers convention.What, convention.Entry,
// convention.Exception. Arguments of With, WithMetadata, Group, Req, Record.Add
// and the like are checked as fields. Attributes in a group, and those after a visible WithGroup, are no fields of the
// record: of them only pairs and keys are judged. What a logger in a variable carries is not known.
//
// Suggested fixes rename a name that is written as a literal, and give duration, code, port and tags the right type.
//
// # Settings
//
// The settings are those of package conventionfile, in a file that the flag config names; without the flag, in the
// file .spile-lint.yml of the nearest folder, from that of the package upwards to the root of the repository. The
// flag severity says from which severity on a finding is reported; prose allows messages that are prose, and then
// only the field what is checked as a name; off switches rules of this package off; tests adds the files of tests.
// Generated files are left alone.
//
// # Exceptions
//
// A comment takes one call out of a rule, on the line of the finding or of the call's beginning, or alone on the line
// before. Before the package clause it holds for the file:
//
//	//spile:ignore EV10,RC12 operators search for this name
package lint
