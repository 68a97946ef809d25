package pipetest

import (
	"fmt"
	"testing"

	"github.com/spilelog/spile/wire"
)

// found is a sequence, without its end.
type found struct {
	name string
	mode wire.Mode
	run  func(m *model, app, web, cur *logFile)
}

// first waits until the first viewer has so many lines.
func (m *model) first(lines int) {
	m.t.Helper()
	if !until(func() bool { return len(m.viewers[0].books().texts) >= lines }) {
		m.fail(fmt.Errorf("%d lines do not come", lines))
	}
}

// servedAgain are sequences in which a viewer is owed what no server has any more: it must get all, without a gap.
var servedAgain = []found{
	{
		name: "returns-to-a-new-server", mode: wire.ModeComplete,
		run: func(m *model, app, web, _ *logFile) {
			m.join()
			m.write(app, 20, 20, nil)
			m.settle()
			m.cutViewer(m.viewers[1], true)
			m.write(app, 20, 20, nil)
			m.write(web, 20, 20, nil)
			m.first(60)
			m.killServer()
			m.startServer()
		},
	},
	{
		name: "returns-after-all-have-died", mode: wire.ModeComplete,
		run: func(m *model, app, _, _ *logFile) {
			m.join()
			m.cutViewer(m.viewers[1], true)
			m.write(app, 20, 20, nil)
			m.first(20)
			m.killAgent()
			m.rotate(app, false)
			m.startAgent()
			m.write(app, 20, 20, nil)
			m.first(40)
			m.killServer()
			m.killAgent()
			m.startServer()
			m.startAgent()
		},
	},
	{
		name: "reads-slower-than-the-ring-moves", mode: wire.ModeComplete,
		run: func(m *model, app, _, _ *logFile) {
			m.join()
			m.slow(m.viewers[1], true)
			for i := range 8 {
				m.write(app, floodLines, floodPad, nil)
				m.first((i + 1) * floodLines)
			}
			m.slow(m.viewers[1], false)
		},
	},
}

// TestFound holds what sequences found before.
func TestFound(t *testing.T) {
	humble(t)
	tests := []found{
		{
			// What was dropped while nobody watched was counted at the end, and told to nobody.
			name: "drops-are-told-to-who-returns-at-the-end", mode: wire.ModeLive,
			run: func(m *model, app, _, _ *logFile) {
				m.write(app, floodLines, floodPad, nil)
				m.cutViewer(m.viewers[0], true)
				m.write(app, floodLines, floodPad, nil)
				m.again(wire.ModeLive)
			},
		},
		{
			// Who joins a session in complete mode is owed it from its origin, also by a server that came later.
			name: "origin-outlives-the-server", mode: wire.ModeComplete,
			run: func(m *model, app, _, _ *logFile) {
				m.write(app, 11, 20, nil)
				m.settle()
				m.killServer()
				m.startServer()
				m.settle()
				m.join()
			},
		},
		{
			// What a journal calls a place means nothing to a later life: two deaths took up where the first had read.
			name: "places-of-lives-are-not-mixed", mode: wire.ModeComplete,
			run: func(m *model, app, _, cur *logFile) {
				m.write(cur, 40, 20, nil)
				m.settle()
				m.killAgent()
				m.remove(app, false)
				m.startAgent()
				m.write(cur, 40, 20, nil)
				m.settle()
				m.killAgent()
				m.startAgent()
				m.write(cur, 40, 20, nil)
			},
		},
		{
			name: "joins-a-dying-server", mode: wire.ModeComplete,
			run: func(m *model, app, _, cur *logFile) {
				m.write(app, 11, 20, nil)
				m.settle()
				m.join()
				m.killServer()
				m.write(cur, 10, 20, nil)
				m.startServer()
			},
		},
		{
			// Where an older copy was still followed, a younger one from before the session was taken for a new file.
			name: "copies-from-before-the-session", mode: wire.ModeComplete,
			run: func(m *model, _, web, _ *logFile) {
				m.copyTruncate(web)
				m.killAgent()
				m.write(web, 1, 20, nil)
				m.settle()
				m.copyTruncate(web)
				m.settle()
				m.again(wire.ModeComplete)
				m.killAgent()
				m.settle()
				m.remove(web, true)
				m.killAgent()
			},
		},
		{
			// A copy that is removed at once need not have been seen by anybody; what is lost with it is told.
			name: "copy-is-removed-at-once", mode: wire.ModeComplete,
			run: func(m *model, app, _, _ *logFile) {
				m.write(app, 2, 20, nil)
				m.first(2)
				m.write(app, floodLines, floodPad, nil)
				m.copyTruncate(app)
				m.expire(app)
			},
		},
		{
			name: "copies-while-the-agent-returns", mode: wire.ModeComplete,
			run: func(m *model, app, _, _ *logFile) {
				m.write(app, 6, 20, nil)
				m.settle()
				m.killAgent()
				m.startAgent()
				m.copyTruncate(app)
				m.write(app, 10, 20, nil)
				m.copyTruncate(app)
				m.write(app, 17, 20, nil)
				m.expire(app)
			},
		},
		{
			name: "copies-and-a-flood-while-the-agent-returns", mode: wire.ModeComplete,
			run: func(m *model, app, _, _ *logFile) {
				m.killAgent()
				m.startAgent()
				m.copyTruncate(app)
				m.write(app, 10, 20, nil)
				m.copyTruncate(app)
				m.write(app, 17, 20, nil)
				m.write(app, floodLines, floodPad, nil)
				m.expire(app)
			},
		},
	}
	for _, tt := range append(tests, servedAgain...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newModel(t, tt.mode)
			defer m.close()
			tt.run(m, m.disk.files[0], m.disk.files[1], m.disk.files[2])
			m.finish()
		})
	}
}
