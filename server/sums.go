package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// sums tells Prometheus the accounts of all sessions, added up: the same sums as those of the frames. Their labels are
// reasons and stages, of which there are few; no session, path or person has a series of its own.
type sums struct {
	totals func() hub.Totals

	seen, filtered, sampled, redacted, dropped *prometheus.Desc
	sent, pending, lost, truncated             *prometheus.Desc
	offered, narrowed, delivered, gapped       *prometheus.Desc
	inFlight, left                             *prometheus.Desc
}

// newSums makes the collector with its descriptions.
func newSums(totals func() hub.Totals) *sums {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("spile_"+name, help, labels, nil)
	}
	return &sums{
		totals:   totals,
		seen:     desc("session_seen_events_total", "Events that agents saw for sessions."),
		filtered: desc("session_filtered_events_total", "Events that did not pass the filter of their session."),
		sampled:  desc("session_sampled_events_total", "Events that sampling held back."),
		redacted: desc("session_redacted_away_events_total", "Events that redaction held back as a whole."),
		dropped: desc("session_dropped_events_total", "Events that passed and were not sent, by where and why.",
			"stage", "reason"),
		sent:    desc("session_sent_events_total", "Events that agents sent, a resend counted once."),
		pending: desc("session_pending_events", "Events that passed and were not sent yet, or not by their session's end."),
		lost: desc("session_lost_bytes_total", "Bytes that agents could not read for sessions, by where and why.",
			"stage", "reason"),
		truncated: desc("session_truncated_lines_total", "Lines that were longer than an event may be, and were cut."),
		offered:   desc("viewer_offered_events_total", "Numbered events from the beginning of each viewer on."),
		narrowed:  desc("viewer_narrowed_events_total", "Events that a viewer's own filter held back."),
		delivered: desc("viewer_delivered_events_total", "Events that were written to viewers."),
		gapped: desc("viewer_gapped_events_total", "Events that gaps announced to viewers, by where and why they were lost.",
			"stage", "reason"),
		inFlight: desc("viewer_in_flight_events", "Events that present viewers are still owed."),
		left:     desc("viewer_left_events_total", "Events that viewers were owed who went away before the end."),
	}
}

// Describe sends every description.
func (s *sums) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		s.seen, s.filtered, s.sampled, s.redacted, s.dropped, s.sent, s.pending, s.lost, s.truncated,
		s.offered, s.narrowed, s.delivered, s.gapped, s.inFlight, s.left,
	} {
		out <- d
	}
}

// Collect sends every value.
func (s *sums) Collect(out chan<- prometheus.Metric) {
	t := s.totals()
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	// Each reason of the table has its series from the beginning, so that its first drop is an increase.
	byReason := func(d *prometheus.Desc, counts map[string]uint64) {
		for _, reason := range wire.Reasons() {
			stage, _ := wire.StageOf(reason)
			counter(d, counts[reason], string(stage), reason)
		}
		if n := counts[hub.OtherReason]; n > 0 {
			counter(d, n, hub.OtherReason, hub.OtherReason)
		}
	}
	counter(s.seen, t.Agents.Seen)
	counter(s.filtered, t.Agents.Filtered)
	counter(s.sampled, t.Agents.Sampled)
	counter(s.redacted, t.Agents.RedactedAway)
	byReason(s.dropped, t.Agents.Dropped)
	counter(s.sent, t.Agents.Sent)
	out <- prometheus.MustNewConstMetric(s.pending, prometheus.GaugeValue, float64(t.Agents.Pending))
	byReason(s.lost, t.Agents.LostBytes)
	counter(s.truncated, t.Agents.TruncatedLines)
	counter(s.offered, t.Viewers.Offered)
	counter(s.narrowed, t.Viewers.Narrowed)
	counter(s.delivered, t.Viewers.Delivered)
	byReason(s.gapped, t.Viewers.Gapped)
	out <- prometheus.MustNewConstMetric(s.inFlight, prometheus.GaugeValue, float64(t.Viewers.InFlight))
	counter(s.left, t.Viewers.Left)
}
