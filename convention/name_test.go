package convention_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/convention"
)

func TestSuggestedNames(t *testing.T) {
	k := convention.Default()
	for _, test := range []struct{ name, what, module, want string }{
		{"error", "c2s_stream_error", "", "c2s_stream_failed"},
		{"failure", "mod_caps_iq_failure", "mod_caps", "caps_iq_failed"},
		{"unable-to", "unable_to_connect", "", "connect_failed"},
		{"cannot", "gd_cannot_acquire_outgoing_connection", "", "gd_acquire_outgoing_connection_failed"},
		{"could-not", "mod_caps_could_not_generate_hash", "mod_caps", "caps_generate_hash_failed"},
		{"known-module", "mongoose_wpool_mgr_pool_starting", "mongoose_wpool_mgr", "pool_starting"},
		{"known-module-not-given", "mod_mam_starting", "", "mam_starting"},
		{"known-ejabberd-module", "ejabberd_s2s_dns_error", "", "s2s_dns_failed"},
		{"module-of-two-words", "broadcast_worker_load_failed", "broadcast_worker", "broadcast_load_failed"},
		{"module-of-one-word", "pool_load_failed", "pool", ""},
		{"repeated", "privacy_get_privacy_list_failed", "", "privacy_get_list_failed"},
		{"repeated-outcome", "failed_login_failed", "", "login_failed"},
		{"camel", "RemoveUserFailed", "", "remove_user_failed"},
		{"camel-acronym", "sendHTTPRequestFailed", "", "send_http_request_failed"},
		{"prose", "remove user failed", "", "remove_user_failed"},
		{"digit", "2fa_check_failed", "", "twofa_check_failed"},
		{"vendor", "mod_last_required_by_extauth", "", "last_required_by_extauth"},
		// Without the prefix it has 41 characters, which EV09 would report again.
		{"still-too-long", "mongoose_instrument_lookup_without_persistent_term", "mongoose_instrument", ""},
		{"lifecycle", "listener_start", "", "listener_starting"},
		{"lifecycle-done", "listener_terminated", "", "listener_stopped"},
		{"one-word", "started", "", ""},
		{"too-long", strings.Repeat("ab", 30) + "_started", "", ""},
		{"not-ascii", "größe_failed", "", ""},
		{"not-utf8", "a\xff_failed", "", ""},
		{"only-underscores", "___", "", ""},
		{"empty", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			findings := k.CheckName(test.what, test.module)
			if len(findings) == 0 {
				t.Fatal("there is no finding")
			}
			for _, f := range findings {
				if f.Suggestion != test.want {
					t.Errorf("%s suggests %q, want %q", f.Rule, f.Suggestion, test.want)
				}
				if f.Field != convention.KeyWhat || f.Severity == convention.Off || f.Message == "" {
					t.Errorf("finding is not complete: %+v", f)
				}
			}
		})
	}
}

func TestConfiguredNames(t *testing.T) {
	for _, test := range []struct {
		name         string
		config       convention.Config
		what, module string
		want         []string
	}{
		{"vendor", convention.Config{VendorPrefixes: []string{"acme_"}}, "acme_user_removed", "", []string{"EV06"}},
		{"vendor-replaced", convention.Config{VendorPrefixes: []string{"acme_"}}, "mod_user_removed", "", []string{}},
		{"vendor-none", convention.Config{VendorPrefixes: []string{}}, "mod_user_removed", "", []string{}},
		{"module", convention.Config{}, "pool_started", "pool", []string{"EV07"}},
		{"module-itself", convention.Config{}, "user_pool", "user_pool", []string{"EV07"}},
		{"module-allowed", convention.Config{AllowedModules: []string{"pool"}}, "pool_started", "pool", []string{}},
		{"length", convention.Config{MaxLength: 10}, "user_removed", "", []string{"EV09"}},
		{"length-at-limit", convention.Config{MaxLength: 12}, "user_removed", "", []string{}},
		{"words", convention.Config{MaxWords: 1}, "user_removed", "", []string{"EV09"}},
		{
			"off",
			convention.Config{Severities: map[string]convention.Severity{"EV03": convention.Off}},
			"dns_error", "",
			[]string{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, err := convention.New(test.config)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, rulesOf(k.CheckName(test.what, test.module))); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestModulePrefixesMakeSuggestions(t *testing.T) {
	k, err := convention.New(convention.Config{
		VendorPrefixes: []string{"acme_"}, ModulePrefixes: map[string]string{"acme_billing": "bill"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"", "acme_billing"} {
		findings := k.CheckName("acme_billing_invoice_error", module)
		if len(findings) == 0 || findings[0].Suggestion != "bill_invoice_failed" {
			t.Errorf("module %q: findings are %v, want the suggestion bill_invoice_failed", module, findings)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, row := range vectors(f) {
		f.Add(row.Input.What, row.Input.Module)
	}
	f.Add("Ünable to\x00", "a_b")
	f.Add("mod_mod_start_error", "mod")
	f.Add("ABCd1_cannot_2", "")
	k := convention.Default()
	f.Fuzz(func(t *testing.T, what, module string) {
		for _, finding := range k.CheckName(what, module) {
			if finding.Suggestion == "" {
				continue
			}
			if again := k.CheckName(finding.Suggestion, module); len(again) > 0 || finding.Suggestion == what {
				t.Fatalf("%q in %q suggests %q, which has %v", what, module, finding.Suggestion, again)
			}
		}
		fields := map[string]any{
			"what": what, "class": module, "reason": what, "stacktrace": "", "code": what, "tags": module,
			"sub_host": what, "server": module, "peer": what,
		}
		for _, finding := range k.CheckRecord(module, fields) {
			name := finding.Field == convention.KeyWhat && finding.Suggestion != ""
			if name && len(k.CheckName(finding.Suggestion, "")) > 0 {
				t.Fatalf("record %q: %s suggests %q, which is bad", what, finding.Rule, finding.Suggestion)
			}
		}
	})
}

func BenchmarkCheckName(b *testing.B) {
	k := convention.Default()
	for b.Loop() {
		k.CheckName("s2s_dns_lookup_failed", "s2s")
	}
}
