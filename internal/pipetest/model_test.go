package pipetest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spilelog/spile/wire"
)

const (
	// maxCuts is how often the agent's link is cut in one life of the agent: it waits twice as long each time.
	maxCuts = 2
	// maxViewers is how many viewers there are at most.
	maxViewers = 4
	// floodPad makes a line long, so that a few hundred are more than what may be under way.
	floodPad   = 12 << 10
	floodLines = 120
	// fullBytes is how much must have been written before a viewer can be too slow for what a server keeps.
	fullBytes = 2 << 20
)

// model is the whole pipe, and what is known of it.
type model struct {
	t       fataler
	fleet   *fleet
	disk    *disk
	mode    wire.Mode
	session string
	viewers []*viewer // the first is there from the beginning of the session to its end
	noted   int       // texts of the first viewer that the disk knows of
	cuts    int       // of the agent's link, in its present life
	down    bool      // the agent's road
	served  int       // deaths of the server in this session
	bytes   int       // written in this session
	story   []string  // what was done
}

// newModel starts a fleet and a session.
func newModel(t fataler, mode wire.Mode) *model {
	t.Helper()
	m := &model{t: t, fleet: newFleet(t)}
	m.disk = newDisk(t, m.fleet.logs)
	for _, l := range m.disk.files {
		m.disk.write(l, 2, 10, nil)
	}
	m.startAgent()
	m.begin(mode)
	return m
}

// close frees everything.
func (m *model) close() {
	for _, v := range m.viewers {
		v.quit()
	}
	m.disk.close()
	m.fleet.close()
}

// did notes an action.
func (m *model) did(format string, args ...any) {
	m.story = append(m.story, fmt.Sprintf(format, args...))
}

// fail ends the test with what was done before.
func (m *model) fail(err error) {
	m.t.Helper()
	m.t.Fatalf("%v\nmode %s; done: %s", err, m.mode, strings.Join(m.story, ", "))
}

// note tells the disk which places the agent has open: those that something came from in its present life.
func (m *model) note() {
	if len(m.viewers) == 0 {
		return
	}
	texts := m.viewers[0].books().texts
	for ; m.noted < len(texts); m.noted++ {
		if u := m.disk.byText[texts[m.noted]]; u != nil && m.disk.life > 0 {
			u.place.held = m.disk.life
		}
	}
}

// begin starts a session with one viewer.
func (m *model) begin(mode wire.Mode) {
	m.t.Helper()
	m.heal()
	m.disk.rest()
	m.fleet.online(m.t)
	m.mode, m.noted, m.served, m.bytes = mode, 0, 0, 0
	m.disk.session++
	m.disk.cut, m.disk.denied, m.disk.deaths = false, false, 0
	timeout := 600
	answer, err := m.fleet.client.Start(context.Background(), wire.StartRequest{
		AgentID: agentName, Mode: mode, Raw: true, TimeoutSeconds: &timeout, Filters: wire.Filters{Pattern: "keep"},
	})
	if err != nil {
		m.fail(err)
	}
	m.session = answer.SessionID
	first, err := m.fleet.watch("first viewer", m.session, true)
	if err != nil {
		m.fail(err)
	}
	m.viewers = []*viewer{first}
	if !first.begun() {
		m.fail(fmt.Errorf("the agent does not stream: %w", first.err))
	}
	m.did("begin %s", mode)
}

// allowed says for what reasons something may be lost now.
func (m *model) allowed(ending bool) allowed {
	a := allowed{events: map[string]bool{}, bytes: map[string]bool{}}
	lost, gone := false, m.disk.denied
	for _, p := range m.disk.places {
		lost = lost || p.lost
		gone = gone || p.lost || p.path == ""
	}
	a.bytes[wire.ReasonTruncated], a.bytes[wire.ReasonRotated] = lost, lost
	// What a viewer is owed and the server does not hold the agent sends again, as long as the session lasts there.
	passed := m.served > 0 || m.bytes > fullBytes
	a.events[wire.ReasonReplayLost] = gone && (passed || m.disk.deaths > 0)
	a.events[wire.ReasonPositionLost] = passed && ending
	a.events[wire.ReasonSlowViewer] = m.bytes > fullBytes && (ending || m.mode == wire.ModeLive)
	a.events[wire.ReasonSessionEnd] = ending
	if m.mode == wire.ModeLive {
		a.events[wire.ReasonBufferOverrun], a.bytes[wire.ReasonLagging] = true, true
	}
	return a
}

// write writes to a file.
func (m *model) write(l *logFile, lines, pad int, keep func(int) bool) {
	m.disk.write(l, lines, pad, keep)
	m.bytes += lines * (pad + 80)
	m.did("write %d of %d to %s", lines, pad, l.name)
}

// startAgent starts the agent where it is dead.
func (m *model) startAgent() {
	if m.fleet.agent != nil {
		return
	}
	m.fleet.startAgent()
	m.disk.life = m.fleet.agentLife + 1
	m.note() // what came before says nothing of this life
	for _, p := range m.disk.places {
		p.held = min(p.held, m.disk.life-1)
	}
	m.cuts = 0
	m.did("start agent")
}

// killAgent kills the agent.
func (m *model) killAgent() {
	if m.fleet.agent == nil {
		return
	}
	m.note()
	m.fleet.killAgent()
	m.down = false
	m.disk.agentDied()
	m.did("kill agent")
}

// killServer kills the server.
func (m *model) killServer() {
	if m.fleet.server == nil || m.cuts >= maxCuts {
		return
	}
	m.fleet.setTarget("")
	for _, v := range m.viewers {
		v.road.cut(false)
	}
	m.fleet.killServer()
	m.cuts++
	m.served++
	m.did("kill server")
}

// startServer starts the server where it is dead.
func (m *model) startServer() {
	if m.fleet.server == nil {
		m.fleet.startServer()
		m.did("start server")
	}
}

// cutAgent cuts the agent's link, for a moment or until it is healed.
func (m *model) cutAgent(stay bool) {
	if m.cuts < maxCuts && m.fleet.agent != nil {
		m.fleet.road.cut(stay)
		m.cuts++
		m.down = stay
		m.did("cut agent %v", stay)
	}
}

// healAgent lets the agent through again.
func (m *model) healAgent() {
	m.fleet.road.heal()
	m.down = false
	m.did("heal agent")
}

// join adds a viewer.
func (m *model) join() {
	if m.fleet.server == nil || len(m.viewers) >= maxViewers {
		return
	}
	name := fmt.Sprintf("viewer %d", len(m.viewers)+1)
	v, err := m.fleet.watch(name, m.session, m.mode == wire.ModeComplete)
	if err != nil {
		m.fail(err)
	}
	m.viewers = append(m.viewers, v)
	m.did("join")
}

// heal gives everything back that was taken away.
func (m *model) heal() {
	m.startServer()
	m.startAgent()
	m.fleet.road.heal()
	m.down = false
	for _, v := range m.viewers {
		v.road.heal()
		v.setSlow(false)
	}
	m.disk.allow()
	m.disk.whole()
}

// present checks that no viewer has given up: a session that goes on is told to be over by nobody.
func (m *model) present() {
	m.t.Helper()
	for _, v := range m.viewers {
		select {
		case <-v.done:
			m.fail(fmt.Errorf("%s: the stream ended before its session: %w", v.name, v.err))
		default:
		}
	}
}

// sound checks what must always hold.
func (m *model) sound(ending bool) {
	m.t.Helper()
	if !ending {
		m.present()
	}
	may := m.allowed(ending)
	for _, v := range m.viewers {
		b := v.books()
		if err := m.disk.sound(&b, may); err != nil {
			m.fail(err)
		}
	}
}

// balance checks that everything is accounted for: by the agent, and to every viewer that is owed all.
func (m *model) balance() error {
	for _, v := range m.viewers {
		if b := v.books(); v.owed {
			var account wire.AgentAccounts
			if len(b.verdict.Agents) > 0 {
				account = b.verdict.Agents[0].Accounts
			}
			if err := m.disk.exact(account, m.mode); err != nil {
				return err
			}
			if err := m.disk.balance(&b, account); err != nil {
				return fmt.Errorf("%w; gaps %+v; account %+v", err, b.gaps, account)
			}
		}
	}
	return nil
}

// settle waits until everything is accounted for.
func (m *model) settle() {
	m.t.Helper()
	m.did("settle")
	m.heal()
	m.note()
	var err error
	balanced := until(func() bool {
		m.present()
		m.note()
		err = m.balance()
		return err == nil
	})
	m.sound(false)
	if !balanced {
		m.fail(err)
	}
}

// stop ends the session and checks what is told at its end.
func (m *model) stop() {
	m.t.Helper()
	m.did("stop")
	m.heal()
	// Who is not there at the end is not told how it ended.
	for _, v := range m.viewers {
		if !until(v.watching) {
			m.fail(fmt.Errorf("%s does not return: %w", v.name, v.err))
		}
	}
	if _, err := m.fleet.client.Stop(context.Background(), m.session); err != nil {
		m.fail(err)
	}
	for _, v := range m.viewers {
		if !v.ended() {
			m.fail(fmt.Errorf("%s: the stream did not end: %w", v.name, v.err))
		}
	}
	m.sound(true)
}

// finish settles, ends the session and checks that nothing is open.
func (m *model) finish() {
	m.t.Helper()
	m.settle()
	// The last word of an agent that is not there is not heard.
	first := m.viewers[0]
	if !until(func() bool { return m.fleet.road.open() && first.watching() && first.live() }) {
		m.fail(errors.New("the agent does not return"))
	}
	m.stop()
	if err := m.balance(); err != nil {
		m.fail(err)
	}
}

// again ends the session as it is and begins another.
func (m *model) again(mode wire.Mode) {
	m.t.Helper()
	m.stop()
	for _, v := range m.viewers {
		v.quit()
	}
	m.viewers = nil
	m.begin(mode)
}
