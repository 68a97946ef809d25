package server

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/server/registry"
	"github.com/spilelog/spile/server/sessions"
	"github.com/spilelog/spile/wire"
)

// collector tells Prometheus what the server knows at the moment of asking.
type collector struct {
	registry *registry.Registry
	sessions *sessions.Manager
	log      *slog.Logger

	lines, bytes, levels   *prometheus.Desc
	up, cpu, memory, disk  *prometheus.Desc
	agents, open, watchers *prometheus.Desc
	problem                *prometheus.Desc
}

// newCollector makes the collector with its descriptions.
func newCollector(r *registry.Registry, m *sessions.Manager, log *slog.Logger) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("spile_"+name, help, labels, nil)
	}
	return &collector{
		registry: r, sessions: m, log: log,
		lines: desc("agent_lines_total", "Lines that a source wrote.", "agent", "agent_id", "source"),
		bytes: desc("agent_bytes_total", "Bytes that a source wrote.", "agent", "agent_id", "source"),
		levels: desc("agent_level_lines_total", "Lines that a source wrote, by level.",
			"agent", "agent_id", "source", "level"),
		up: desc("agent_up", "Whether the agent is online.", "agent", "agent_id"),
		problem: desc("agent_problem", "Whether the agent cannot write its own state, such as on a full disk.",
			"agent", "agent_id"),
		cpu:      desc("agent_cpu_cores", "Processor time of the agent itself, in cores.", "agent", "agent_id"),
		memory:   desc("agent_memory_bytes", "Resident memory of the agent itself.", "agent", "agent_id"),
		disk:     desc("agent_disk_used_ratio", "How full the disk of the agent's data folder is.", "agent", "agent_id"),
		agents:   desc("agents_online", "Agents that are online."),
		open:     desc("sessions_open", "Sessions that are open."),
		watchers: desc("viewers", "Viewers that watch a session."),
	}
}

// Describe sends every description.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.lines, c.bytes, c.levels, c.up, c.problem, c.cpu, c.memory, c.disk, c.agents, c.open, c.watchers,
	} {
		out <- d
	}
}

// Collect sends every value.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	_, open := c.sessions.Counts()
	gauge(c.open, float64(open))
	gauge(c.watchers, float64(c.sessions.Viewers()))
	agents, err := c.registry.List(context.Background())
	if err != nil {
		c.log.Error("metrics_collect_failed", "reason", err)
		out <- prometheus.NewInvalidMetric(c.agents, err)
		return
	}
	names, online := map[string]string{}, 0
	for _, a := range agents {
		names[a.ID] = a.Name
		up := 0
		if a.Status == wire.AgentOnline {
			up = 1
		}
		online += up
		gauge(c.up, float64(up), a.Name, a.ID)
		problem := 0
		if a.Problem != "" {
			problem = 1
		}
		gauge(c.problem, float64(problem), a.Name, a.ID)
		if m := a.Metrics; m != nil {
			gauge(c.cpu, m.CPUPercent/100, a.Name, a.ID)
			gauge(c.memory, float64(m.MemoryBytes), a.Name, a.ID)
			gauge(c.disk, m.DiskUsedPercent/100, a.Name, a.ID)
		}
	}
	gauge(c.agents, float64(online))
	for _, s := range c.registry.Summaries() {
		if name, ok := names[s.ID]; ok {
			c.sources(out, name, s)
		}
	}
}

// sources sends the counters of one agent.
func (c *collector) sources(out chan<- prometheus.Metric, name string, s registry.Summary) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for source, total := range s.Sources {
		counter(c.lines, total.Lines, name, s.ID, source)
		counter(c.bytes, total.Bytes, name, s.ID, source)
		for i, n := range total.Levels {
			if n > 0 {
				counter(c.levels, n, name, s.ID, source, event.LevelAt(i).Wire())
			}
		}
	}
}

// metricsHandler answers /metrics from a registry of its own.
func metricsHandler(c *collector, s *sums) http.Handler {
	all := prometheus.NewRegistry()
	all.MustRegister(c, s, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
