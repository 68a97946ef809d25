package convention_test

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/event"
)

func TestFieldTypes(t *testing.T) {
	type name string
	for _, test := range []struct {
		name  string
		key   string
		value any
		good  bool
	}{
		{"duration-int", "duration", 5000, true},
		{"duration-uint", "duration", uint64(1 << 63), true},
		{"duration-whole-float", "duration", 1500.0, true},
		{"duration-float", "duration", 1.5, false},
		{"duration-of-go", "duration", 1500 * time.Millisecond, false},
		{"duration-slog", "duration", slog.DurationValue(time.Second), false},
		{"duration-slog-int", "duration", slog.IntValue(1), true},
		{"duration-json", "duration", json.Number("1500"), true},
		{"duration-json-huge", "duration", json.Number("99999999999999999999"), true},
		{"duration-json-decimal", "duration", json.Number("1500.0"), false},
		{"duration-nil", "duration", nil, false},
		{"duration-us", "duration_us", 5, false},
		{"code-text", "code", "200", false},
		{"code-bool", "code", true, false},
		{"port-zero", "port", 0, true},
		{"port-top", "port", 65535, true},
		{"port-above", "port", 65536, false},
		{"port-negative", "port", -1, false},
		{"port-float-huge", "port", 1e300, false},
		{"tags-list", "tags", []string{"c2s"}, true},
		{"tags-any", "tags", []any{"c2s"}, true},
		{"tags-slog", "tags", convention.Tags().Value, true},
		{"tags-text", "tags", "c2s", false},
		{"tags-bytes", "tags", []byte("c2s"), false},
		{"tags-group", "tags", slog.GroupValue(slog.String("a", "b")), false},
		{"text", "text", "MAM failed to contact MySQL", true},
		{"text-named-type", "text", name("x"), true},
		{"text-number", "text", 1, false},
		{"path-number", "path", json.Number("1"), false},
		{"user-list", "user", []string{"a"}, false},
		{"server-nil", "server", nil, false},
		{"ip-text", "ip", "127.0.0.1", true},
		{"ip-6-zone", "ip", "fe80::1%eth0", true},
		{"ip-addr", "ip", netip.MustParseAddr("::1"), true},
		{"ip-net", "ip", net.IPv4(1, 2, 3, 4), true},
		{"ip-none", "ip", netip.Addr{}, false},
		{"ip-host", "ip", "localhost", false},
		{"ip-with-port", "ip", "127.0.0.1:5222", false},
		{"peer-text", "peer", "[::1]:5222", true},
		{"peer-addrport", "peer", netip.MustParseAddrPort("127.0.0.1:5222"), true},
		{"peer-tcp", "peer", &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 1}, true},
		{"peer-tcp-nil", "peer", (*net.TCPAddr)(nil), false},
		{"peer-without-port", "peer", "127.0.0.1", false},
		{"peer-number", "peer", 5222, false},
		{"not-enforced", "reply_body", 12, true},
		{"unknown", "colour", 12, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields := map[string]any{"what": "request_result", test.key: test.value}
			want := []string{"RC05"}
			if test.good {
				want = []string{}
			}
			findings := convention.Default().CheckRecord("info", fields)
			if diff := cmp.Diff(want, rulesOf(findings)); diff != "" {
				t.Errorf("rules (-want +got):\n%s\n%v", diff, findings)
			}
		})
	}
}

func TestRecords(t *testing.T) {
	for _, test := range []struct {
		name   string
		level  string
		fields map[string]any
		want   []string
	}{
		{"no-name", "info", map[string]any{}, []string{"EV01"}},
		{"nil-name", "info", map[string]any{"what": nil}, []string{"EV01"}},
		{"name-no-text", "info", map[string]any{"what": 12}, []string{"EV02", "EV11"}},
		{"name-of-slog", "info", map[string]any{"what": slog.StringValue("user_removed")}, []string{}},
		{"result-without-what", "info", map[string]any{"result": "ok"}, []string{"EV01", "RC10"}},
		{"reason-alone", "info", map[string]any{"what": "user_removed", "reason": "x"}, []string{}},
		{"class-alone", "error", map[string]any{"what": "remove_failed", "class": "x"}, []string{"RC01"}},
		{"failed-without-reason", "error", map[string]any{"what": "remove_failed"}, []string{"RC12"}},
		{"failed-with-reason", "error", map[string]any{"what": "remove_failed", "reason": "x"}, []string{}},
		{"acc-and-iq", "info", map[string]any{"what": "iq_result", "acc": 1, "iq": 2}, []string{"RC04"}},
		{
			"sub-host-is-server", "info",
			map[string]any{"what": "room_left", "server": "a", "sub_host": "a"},
			[]string{"RC13"},
		},
		{"sub-host", "info", map[string]any{"what": "room_left", "server": "a", "sub_host": "muc.a"}, []string{}},
		{"level-warn", "warn", map[string]any{"what": "user_removed"}, []string{"RC07"}},
		{"level-empty", "", map[string]any{"what": "user_removed"}, []string{"RC07"}},
		{"level-all", "all", map[string]any{"what": "user_removed"}, []string{"RC07"}},
		{"level-emergency", "emergency", map[string]any{"what": "user_removed"}, []string{}},
		{"meta", "info", map[string]any{"what": "user_removed", "meta": 1, "level": 1}, []string{"RC03"}},
		{
			"unexpected-state-name", "warning",
			map[string]any{"what": "unexpected_info", "msg": 1, "state_name": "x"},
			[]string{"RC06"},
		},
		{
			"unexpected-call", "warning",
			map[string]any{"what": "unexpected_call", "msg": 1, "call_from": "x"},
			[]string{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			findings := convention.Default().CheckRecord(test.level, test.fields)
			if diff := cmp.Diff(test.want, rulesOf(findings)); diff != "" {
				t.Errorf("rules (-want +got):\n%s\n%v", diff, findings)
			}
		})
	}
}

func TestSuggestionsForRecords(t *testing.T) {
	exception := map[string]any{"what": "check_failed", "class": "e", "reason": "r", "stacktrace": "s"}
	for _, test := range []struct {
		name, level string
		fields      map[string]any
		rule, want  string
	}{
		{"exception", "error", exception, "RC02", "check_exception"},
		{"context", "info", map[string]any{"what": "iq_result", "iq": 1, "acc": 1}, "RC04", "acc"},
		{"code", "info", map[string]any{"what": "a_b", "code": "200"}, "RC05", "200"},
		{"code-word", "info", map[string]any{"what": "a_b", "code": "OK"}, "RC05", ""},
		{"tags", "info", map[string]any{"what": "a_b", "tags": "c2s"}, "RC05", `["c2s"]`},
		{"micro", "info", map[string]any{"what": "a_b", "duration_us": 1}, "RC05", "duration"},
		{"unexpected", "info", map[string]any{"what": "unexpected_info", "msg": 1}, "RC06", "warning"},
		{"warn", "WARN", map[string]any{"what": "a_b"}, "RC07", "warning"},
		{"trace", "trace", map[string]any{"what": "a_b"}, "RC07", "debug"},
		{"verbose", "verbose", map[string]any{"what": "a_b"}, "RC07", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, f := range convention.Default().CheckRecord(test.level, test.fields) {
				if f.Rule == test.rule {
					if f.Suggestion != test.want {
						t.Errorf("%s suggests %q, want %q", f.Rule, f.Suggestion, test.want)
					}
					return
				}
			}
			t.Errorf("%s has not fired", test.rule)
		})
	}
}

func TestConfiguredRecords(t *testing.T) {
	billing := convention.Domain{Name: "billing", Fields: []convention.Field{
		{Name: "invoice", Type: convention.TypeInteger, Enforced: true},
		{Name: "due", Type: convention.TypeTime, Enforced: true},
		{Name: "paid", Type: convention.TypeBool, Enforced: true},
		{Name: "amount", Type: convention.TypeNumber, Enforced: true},
		{Name: "customer", Type: convention.TypeObject, Enforced: true},
		{Name: "remark", Type: convention.TypeText},
	}}
	good := map[string]any{
		"what": "invoice_sent", "invoice": 1, "due": time.Unix(0, 0), "paid": false, "amount": 1.5,
		"customer": map[string]any{}, "remark": 1,
	}
	bad := map[string]any{
		"what": "invoice_sent", "invoice": "x", "due": "today", "paid": "no", "amount": "1.5", "customer": "Bob",
	}
	text := map[string]any{"what": "invoice_sent", "invoice": "1", "paid": "true", "amount": "1.5", "tags": "[a b]"}
	reserved := map[string]any{"what": "user_removed", "pid": 1}
	for _, test := range []struct {
		name   string
		config convention.Config
		level  string
		fields map[string]any
		want   int
	}{
		{"domain-good", convention.Config{Domains: []convention.Domain{billing}}, "info", good, 0},
		{"domain-bad", convention.Config{Domains: []convention.Domain{billing}}, "info", bad, 5},
		{"domain-off", convention.Config{
			Domains: []convention.Domain{billing}, Severities: map[string]convention.Severity{"RC05": convention.Off},
		}, "info", bad, 0},
		{"text-values", convention.Config{Domains: []convention.Domain{billing}, TextValues: true}, "info", text, 0},
		{"no-text-values", convention.Config{Domains: []convention.Domain{billing}}, "info", text, 4},
		{"level", convention.Config{Levels: []string{"trace"}}, "trace", map[string]any{"what": "a_b"}, 0},
		{"reserved-none", convention.Config{ReservedKeys: []string{}}, "info", reserved, 0},
		{"reserved", convention.Config{}, "info", reserved, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, err := convention.New(test.config)
			if err != nil {
				t.Fatal(err)
			}
			if findings := k.CheckRecord(test.level, test.fields); len(findings) != test.want {
				t.Errorf("there are %d findings, want %d: %v", len(findings), test.want, findings)
			}
		})
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	_, err := convention.New(convention.Config{
		VendorPrefixes: []string{"acme"}, ModulePrefixes: map[string]string{"m": "A"}, MaxLength: -1, MaxWords: -1,
		Severities: map[string]convention.Severity{"EV99": convention.Info, "EV01": 9, "RC08": convention.Error},
		Domains:    []convention.Domain{{Name: "http", Fields: []convention.Field{{Name: "path", Type: "text"}}}},
	})
	if err == nil {
		t.Fatal("the settings are taken")
	}
	for _, want := range []string{
		`vendor_prefixes has "acme"`, `module_prefixes has "A"`, "max_length is -1", "max_words is -1",
		`unknown rule "EV99"`, "9 for EV01", "RC08", `field "path" is described already`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not tell %q: %v", want, err)
		}
	}
}

func TestFieldsOfEvent(t *testing.T) {
	e := event.Event{Level: event.Warning, Message: "unexpected_info", Metadata: event.Metadata{
		{Key: "msg", Value: event.String("m")},
		{Key: "code", Value: event.JSON("200.0")},
		{Key: "port", Value: event.Int(5222)},
		{Key: "tags", Value: event.JSON(`["a"]`)},
	}}
	k := convention.Default()
	findings := k.CheckRecord(e.Level.String(), convention.FieldsOfEvent(&e))
	if len(findings) != 1 || findings[0].Field != "code" {
		t.Errorf("findings are %v, want one about code", findings)
	}
	e.Metadata.Set("what", event.String("Bad Name"))
	if rules := rulesOf(k.CheckRecord("info", convention.FieldsOfEvent(&e))); rules[0] != "EV02" {
		t.Errorf("rules are %v, want those of the field what", rules)
	}
}
