package convention_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/netip"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/convention"
)

// line is attrs as slog's text handler prints them, without time, level and message.
func line(attrs ...slog.Attr) string {
	var b bytes.Buffer
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, "m", 0)
	r.AddAttrs(attrs...)
	if err := slog.NewTextHandler(&b, nil).Handle(context.Background(), r); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), "level=INFO msg=m "), "\n")
}

func TestAttributesFollowTheCatalogue(t *testing.T) {
	const addr = "127.0.0.1"
	attrs := []slog.Attr{
		convention.What("user_removed"), convention.Text("t"), convention.Result("r"), convention.Tags("a", "b"),
		convention.Path("/"), convention.Code(200), convention.IP(netip.MustParseAddr(addr)), convention.Port(5222),
		convention.Peer(netip.MustParseAddrPort(addr + ":1")), convention.Req("method", "GET"),
		convention.ReplyBody("ok"), convention.User("u"), convention.Server("s"), convention.SubHost("h"),
		convention.RemoteUser("u"), convention.RemoteServer("s"), convention.FromJID("a@b"), convention.ToJID("c@d"),
		convention.Packet("<x/>"), convention.Duration(1500 * time.Microsecond), convention.StateName("n"),
		convention.State(1), convention.C2SData(1), convention.CallFrom("c"), convention.Msg(1), convention.Class(convention.ClassError),
		convention.Reason(errors.New("no")), convention.Stacktrace(convention.Stack()),
	}
	k := convention.Default()
	for _, a := range attrs {
		if _, ok := k.Catalogue().Field(a.Key); !ok {
			t.Errorf("%s is not in the catalogue", a.Key)
		}
	}
	fields := convention.FieldsOfAttrs("", attrs)
	if diff := cmp.Diff([]string{"RC02"}, rulesOf(k.CheckRecord("info", fields))); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	want := "duration=1 reason=no tags=[]"
	got := line(convention.Duration(1999*time.Microsecond), convention.Reason(errors.New("no")), convention.Tags())
	if got != want {
		t.Errorf("line is %s, want %s", got, want)
	}
}

func TestAt(t *testing.T) {
	pc, _, _, _ := runtime.Caller(0)
	if got := convention.At(pc).Value.String(); !regexp.MustCompile(`^convention_test\.TestAt:\d+$`).MatchString(got) {
		t.Errorf("at is %q", got)
	}
	if got := convention.At(0); !got.Equal(slog.Attr{}) {
		t.Errorf("at of no counter is %v", got)
	}
}

func TestEntriesPassTheChecker(t *testing.T) {
	k := convention.Default()
	for _, e := range []convention.Entry{
		convention.UnexpectedCall("flush", "session-1"),
		convention.UnexpectedCast("flush"),
		convention.UnexpectedInfo("flush"),
		convention.Exception("check_password", convention.ClassError, errors.New("no"), convention.Stack()),
	} {
		level := map[slog.Level]string{slog.LevelWarn: "warning", slog.LevelError: "error"}[e.Level]
		if findings := k.CheckRecord(level, e.Fields()); len(findings) > 0 {
			t.Errorf("%s has findings: %v", e.What, findings)
		}
	}
}

func TestExceptionNames(t *testing.T) {
	for operation, want := range map[string]string{
		"load_plugin": "load_plugin_exception", "load_plugin_failed": "load_plugin_exception",
		"load_plugin_error": "load_plugin_exception", "load_plugin_exception": "load_plugin_exception",
		"": "exception",
	} {
		if e := convention.Exception(operation, "error", nil, ""); e.What != want {
			t.Errorf("exception of %q is %s, want %s", operation, e.What, want)
		}
	}
}

func index(list []int, i int) int { return list[i] }

func TestRecover(t *testing.T) {
	if _, ok := convention.Recover("load_plugin", nil); ok {
		t.Error("there is an entry where nothing panicked")
	}
	for _, test := range []struct {
		name   string
		fail   func()
		reason string
		place  string
	}{
		{"value", func() { panic("boom") }, "boom", "convention_test.TestRecover.func"},
		{"runtime", func() { index(nil, 3) }, "index out of range", "convention_test.index:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var entry convention.Entry
			func() {
				defer func() { entry, _ = convention.Recover("load_plugin", recover()) }()
				test.fail()
			}()
			fields := convention.FieldsOfAttrs(entry.What, entry.Attrs)
			stack := fields[convention.KeyStacktrace].(slog.Value).String()
			reason := fields[convention.KeyReason].(slog.Value).String()
			if !strings.HasPrefix(stack, test.place) || strings.Contains(stack, "\n") {
				t.Errorf("stack is %q, want it to start with %s", stack, test.place)
			}
			if !strings.Contains(reason, test.reason) || entry.What != "load_plugin_exception" {
				t.Errorf("entry is %s with reason %q", entry.What, reason)
			}
			if findings := convention.Default().CheckRecord("error", entry.Fields()); len(findings) > 0 {
				t.Errorf("findings: %v", findings)
			}
		})
	}
}

func TestEntryIsLoggedWithThePlaceOfItsCaller(t *testing.T) {
	var b bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{AddSource: true, Level: slog.LevelWarn}))
	convention.UnexpectedCast("flush").Log(context.Background(), logger)
	if got := b.String(); !strings.Contains(got, "attrs_test.go:") || !strings.Contains(got, "msg=unexpected_cast") {
		t.Errorf("line is %s", got)
	}
	b.Reset()
	convention.Entry{What: "user_removed"}.Log(context.Background(), logger)
	if b.Len() > 0 {
		t.Errorf("a record below the level is logged: %s", b.String())
	}
}

type stanza struct {
	XMLName xml.Name `xml:"message"`
	To      string   `xml:"to,attr"`
}

type broken struct{}

func (broken) String() string { panic("no text") }

func TestExpand(t *testing.T) {
	acc := convention.Acc(convention.Accumulator{
		User: "alice", Server: "localhost", FromJID: "alice@localhost", ToJID: "bob@localhost", Packet: "<iq/>",
	})
	for _, test := range []struct {
		name  string
		attrs []slog.Attr
		want  string
	}{
		{"nothing", []slog.Attr{convention.Code(1)}, "code=1"},
		{
			"acc",
			[]slog.Attr{convention.Code(1), acc},
			"code=1 user=alice server=localhost from_jid=alice@localhost to_jid=bob@localhost packet=<iq/>",
		},
		{
			"explicit-wins",
			[]slog.Attr{acc, convention.User("carol"), convention.Packet("<a/>")},
			"server=localhost from_jid=alice@localhost to_jid=bob@localhost user=carol packet=<a/>",
		},
		{
			"element-wins-over-acc",
			[]slog.Attr{acc, convention.ExmlPacket("<b/>")},
			"user=alice server=localhost from_jid=alice@localhost to_jid=bob@localhost packet=<b/>",
		},
		{"partial", []slog.Attr{convention.Acc(convention.Accumulator{User: "alice"})}, "user=alice"},
		{
			"map",
			[]slog.Attr{slog.Any("acc", map[string]any{"user": "a", "exml_packet": []byte("<c/>")})},
			"packet=<c/> user=a",
		},
		{"element", []slog.Attr{convention.ExmlPacket(stanza{To: "bob"})}, `packet="<message to=\"bob\"></message>"`},
		{"packet-wins-over-element", []slog.Attr{convention.ExmlPacket("<a/>"), convention.Packet("<b/>")}, "packet=<b/>"},
		{"broken-element", []slog.Attr{convention.ExmlPacket(make(chan int, 1))}, "exml_packet="},
		{"panicking-element", []slog.Attr{convention.ExmlPacket(broken{})}, "exml_packet="},
		{"acc-that-is-none", []slog.Attr{slog.String("acc", "x")}, "acc=x"},
		{"group-is-left", []slog.Attr{slog.Group("g", slog.String("acc", "x"))}, "g.acc=x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := line(convention.Expand(test.attrs)...)
			if strings.HasSuffix(test.want, "=") {
				got = got[:min(len(got), len(test.want))]
			}
			if got != test.want {
				t.Errorf("expanded is\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestExpandRecord(t *testing.T) {
	r := slog.NewRecord(time.Unix(1, 0), slog.LevelWarn, "iq_result", 7)
	r.AddAttrs(convention.Acc(convention.Accumulator{User: "alice"}))
	out := convention.ExpandRecord(r)
	if out.NumAttrs() != 1 || out.Message != r.Message || out.PC != r.PC || !out.Time.Equal(r.Time) {
		t.Errorf("record is %+v", out)
	}
	out.Attrs(func(a slog.Attr) bool {
		if a.Key != convention.KeyUser {
			t.Errorf("attribute is %v, want user", a)
		}
		return true
	})
}
