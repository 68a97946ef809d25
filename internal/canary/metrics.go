package canary

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// headerTimeout bounds the head of a request for /metrics.
	headerTimeout = 5 * time.Second
	// shutdownLimit is how long a request may take when the canary ends.
	shutdownLimit = time.Second
)

// newLatency makes the histogram of latencies, from one millisecond to half a minute.
func newLatency() prometheus.Histogram {
	const fastest, factor, buckets = 0.001, 2, 16
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "spile_canary_latency_seconds", Help: "From writing a line to receiving it.",
		Buckets: prometheus.ExponentialBuckets(fastest, factor, buckets),
	})
}

// collector tells Prometheus the counts.
type collector struct {
	counts func() Counts
	series []series
}

// series is one count.
type series struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Counts) uint64
}

// newCollector makes the collector with its descriptions.
func newCollector(counts func() Counts) *collector {
	c := &collector{counts: counts}
	add := func(kind prometheus.ValueType, name, help string, value func(*Counts) uint64) {
		desc := prometheus.NewDesc("spile_canary_"+name, help, nil, nil)
		c.series = append(c.series, series{desc, kind, value})
	}
	count, gauge := prometheus.CounterValue, prometheus.GaugeValue
	add(count, "written_lines_total", "Lines written.", func(n *Counts) uint64 { return n.Written })
	add(count, "received_lines_total", "Lines received, each once.", func(n *Counts) uint64 { return n.Received })
	add(gauge, "in_flight_lines", "Lines written and not received yet.", func(n *Counts) uint64 { return n.InFlight })
	add(gauge, "missing_lines", "Lines that were passed over, and no gap says so.",
		func(n *Counts) uint64 { return n.Missing })
	add(count, "doubled_lines_total", "Lines that came again.", func(n *Counts) uint64 { return n.Doubled })
	add(count, "out_of_order_lines_total", "Lines that came after a later one.",
		func(n *Counts) uint64 { return n.OutOfOrder })
	add(count, "announced_lost_lines_total", "Lines that were passed over, as gaps told.",
		func(n *Counts) uint64 { return n.AnnouncedLost })
	add(count, "unexpected_lines_total", "Lines that were never written so.",
		func(n *Counts) uint64 { return n.Unexpected })
	add(count, "sessions_total", "Sessions opened.", func(n *Counts) uint64 { return n.Sessions })
	add(count, "sessions_restarted_total", "Sessions opened in the place of one that was lost.",
		func(n *Counts) uint64 { return n.SessionsRestarted })
	add(count, "verify_failures_total", "Sessions whose numbers or accounts do not add up.",
		func(n *Counts) uint64 { return n.VerifyFailures })
	return c
}

// Describe sends every description.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, s := range c.series {
		out <- s.desc
	}
}

// Collect sends every value.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	counts := c.counts()
	for _, s := range c.series {
		out <- prometheus.MustNewConstMetric(s.desc, s.kind, float64(s.value(&counts)))
	}
}

// serve answers /metrics until ctx ends.
func (c *canary) serve(ctx context.Context) error {
	all := prometheus.NewRegistry()
	all.MustRegister(newCollector(c.tally.snapshot), c.latency)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(all, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		stopped <- server.Shutdown(late)
	}()
	if err := server.Serve(c.cfg.Listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
