package registry

import (
	"maps"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

const (
	// maxPoints is how many reports of an agent are kept.
	maxPoints = int(wire.MetricsHistory / wire.MetricsInterval)
	// maxSources bounds the sources of one agent that are counted.
	maxSources = 1000
)

// Total is what one source of an agent has written since this server heard of it first.
type Total struct {
	Lines  uint64
	Bytes  uint64
	Levels [wire.NumLevels]uint64
}

// Summary is what is known of one agent for the server's own metrics.
type Summary struct {
	ID     string
	Online bool
	// Latest is the last report, nil before the first.
	Latest *wire.MetricsPoint
	// Sources is by name.
	Sources map[string]Total
}

// metrics is what an agent reported.
type metrics struct {
	points []wire.MetricsPoint // the oldest first, at most maxPoints
	totals map[string]Total
}

// latest is the last report, or nil.
func (m *metrics) latest() *wire.MetricsPoint {
	if len(m.points) == 0 {
		return nil
	}
	p := m.points[len(m.points)-1]
	return &p
}

// Metrics takes an agent's report. Counts of a source that is not in the agent's list are dropped and logged.
func (r *Registry) Metrics(agentID string, m wire.Metrics) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seenLocked(agentID)
	if s == nil {
		return
	}
	point := wire.MetricsPoint{
		Time:            wire.At(time.Now()),
		IntervalSeconds: float64(m.IntervalMS) / 1000,
		CPUPercent:      float64(m.CPUPermille) / 10,
		MemoryBytes:     m.MemoryKiB << 10,
		DiskUsedPercent: float64(m.DiskPermille) / 10,
		Sources:         map[string]wire.SourceRate{},
	}
	if s.metrics.totals == nil {
		s.metrics.totals = map[string]Total{}
	}
	for _, c := range m.Sources {
		if c.Index >= uint64(len(s.sources)) || c.Index >= maxSources {
			r.log.Warn("metrics_source_failed", "agent_id", agentID, "reason", "the agent has no such source",
				"index", c.Index, "sources", len(s.sources))
			continue
		}
		s.metrics.count(s.sources[c.Index].Name, c, point.Sources)
	}
	if len(s.metrics.points) >= maxPoints {
		s.metrics.points = append(s.metrics.points[:0:0], s.metrics.points[1:]...)
	}
	s.metrics.points = append(s.metrics.points, point)
}

// count adds one source's counts to the totals and to the point.
func (m *metrics) count(name string, c wire.SourceCount, point map[string]wire.SourceRate) {
	total := m.totals[name]
	rate := wire.SourceRate{Lines: c.Lines, Bytes: c.Bytes, Levels: map[string]uint64{}}
	total.Lines += c.Lines
	total.Bytes += c.Bytes
	for i, n := range c.Levels {
		total.Levels[i] += n
		if n > 0 {
			rate.Levels[event.LevelAt(i).Wire()] = n
		}
	}
	point[name] = rate
	if _, known := m.totals[name]; known || len(m.totals) < maxSources {
		m.totals[name] = total
	}
}

// History returns the reports of an agent of the last hour, the oldest first.
func (r *Registry) History(agentID string) []wire.MetricsPoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []wire.MetricsPoint{}
	s := r.agents[agentID]
	if s == nil {
		return out
	}
	oldest := time.Now().Add(-wire.MetricsHistory)
	for _, p := range s.metrics.points {
		if p.Time.After(oldest) {
			out = append(out, p)
		}
	}
	return out
}

// Summaries returns what is known of every agent that spoke since this server started.
func (r *Registry) Summaries() []Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Summary, 0, len(r.agents))
	for id, s := range r.agents {
		out = append(out, Summary{
			ID: id, Online: s.online, Latest: s.metrics.latest(), Sources: maps.Clone(s.metrics.totals),
		})
	}
	return out
}
