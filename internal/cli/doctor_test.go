package cli

import (
	"strings"
	"testing"

	"github.com/spilelog/spile/client"
)

func TestDoctorSaysWhatItCannotTell(t *testing.T) {
	for hop, want := range map[string]bool{"nginx/1.27": false, "one of nginx/1.27, haproxy": true} {
		found := &client.Examination{Results: []client.Result{{
			Check: client.CheckSSE, Outcome: client.OutcomeProblem,
			Findings: []client.Finding{{Cause: client.CauseBuffered, Text: "held back", Hop: hop}},
		}}}
		text := examinationText(found)
		if !strings.Contains(text, "  by "+hop+"\n") || strings.Contains(text, "cannot be told from here") != want {
			t.Errorf("%s: %s", hop, text)
		}
	}
}
