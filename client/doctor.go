package client

import (
	"context"
	"time"

	"github.com/spilelog/spile/wire"
)

// Check names one thing that [Client.Examine] looks at.
type Check string

// The checks, in their order.
const (
	CheckDNS       Check = "dns"
	CheckTCP       Check = "tcp"
	CheckTLS       Check = "tls"
	CheckHealth    Check = "health"
	CheckToken     Check = "token"
	CheckClock     Check = "clock"
	CheckWebSocket Check = "websocket"
	CheckSSE       Check = "sse"
	CheckNDJSON    Check = "ndjson"
	CheckIdle      Check = "idle"
)

// Outcome says how a check went.
type Outcome string

// The outcomes, from good to bad.
const (
	OutcomeSkipped Outcome = "skipped"
	OutcomeOK      Outcome = "ok"
	OutcomeWarning Outcome = "warning"
	OutcomeProblem Outcome = "problem"
)

// Result is what one check found.
type Result struct {
	Check   Check   `json:"check"`
	Outcome Outcome `json:"outcome"`
	// Text is one sentence about what was seen.
	Text string `json:"text"`
	// TookMS is how long the check took, in milliseconds.
	TookMS int64 `json:"took_ms"`
	// Findings are what is wrong, none if nothing is.
	Findings []Finding `json:"findings,omitempty"`
}

// Finding is one thing that is wrong.
type Finding struct {
	Cause Cause `json:"cause"`
	// Text says in plain words what is wrong.
	Text string `json:"text"`
	// Hop is who does it, as far as it can be told: of several proxies on the way, beacons from end to end cannot tell
	// which one it is, and then all of them are named.
	Hop string `json:"hop,omitempty"`
	// Cures are the directives that help, for each kind of proxy that is likely.
	Cures []Cure `json:"cures,omitempty"`
}

// Examination is what [Client.Examine] found.
type Examination struct {
	Server string `json:"server"`
	// Good says that there is no problem.
	Good    bool     `json:"good"`
	Results []Result `json:"results"`
	// Hops are the proxies that show themselves between here and the server.
	Hops []string `json:"hops,omitempty"`
	// Arrived is a request of ours as it came to the server.
	Arrived *wire.BeaconRequest `json:"arrived,omitempty"`
	// Transport is the best way on which a stream comes, empty if none was found.
	Transport Transport `json:"transport,omitempty"`
}

// ExamineOptions are the settings of [Client.Examine]. The zero value is good.
type ExamineOptions struct {
	// Idle is for how long a stream must live on heartbeats alone, at most [wire.MaxBeaconTime]; zero leaves that out.
	Idle time.Duration
	// Count and Interval are those of the beacons; zero means [wire.BeaconCount] and [wire.BeaconInterval].
	Count    int
	Interval time.Duration
	// OnResult, when not nil, is called with each result as it comes.
	OnResult func(Result)
}

// examiner is one examination under way.
type examiner struct {
	client *Client
	opts   ExamineOptions
	out    Examination
	// least is how many proxies there are at least, by the addresses that they noted.
	least int
	// opened are the forms whose beacons came through at all.
	opened []string
}

// Examine looks step by step for what keeps streams of the server from coming through: the name, the port, the
// certificate, the server, the token, the clock; then timed beacons over each transport, whose arrival shows what the
// proxies on the way strip, gather, compress and cut. The error is that of ctx or of the options; what is wrong with
// the way is in the examination.
func (c *Client) Examine(ctx context.Context, o ExamineOptions) (*Examination, error) {
	if o.Count == 0 {
		o.Count = wire.BeaconCount
	}
	if o.Interval == 0 {
		o.Interval = wire.BeaconInterval
	}
	if o.Idle < 0 || o.Idle > wire.MaxBeaconTime {
		return nil, wire.Invalid("idle", "%v must be at most %v", o.Idle, wire.MaxBeaconTime)
	}
	e := &examiner{client: c, opts: o, out: Examination{Server: c.base, Good: true}}
	e.examine(ctx)
	e.settle()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return &e.out, nil
}

// examine goes through the checks; what cannot work after a failure is skipped.
func (e *examiner) examine(ctx context.Context) {
	steps := []struct {
		check Check
		run   func(context.Context) Result
	}{
		{CheckDNS, e.dns}, {CheckTCP, e.tcp}, {CheckTLS, e.tls}, {CheckHealth, e.health}, {CheckToken, e.token},
	}
	reached := true
	for _, s := range steps {
		if ctx.Err() != nil {
			return
		}
		if !reached {
			e.add(s.check, time.Now(), Result{Outcome: OutcomeSkipped, Text: "not tried"})
			continue
		}
		began := time.Now()
		r := s.run(ctx)
		e.add(s.check, began, r)
		reached = r.Outcome != OutcomeProblem
	}
	if !reached {
		for _, check := range []Check{CheckClock, CheckWebSocket, CheckSSE, CheckNDJSON} {
			e.add(check, time.Now(), Result{Outcome: OutcomeSkipped, Text: "not tried"})
		}
		return
	}
	e.streams(ctx)
}

// streams sends beacons over each transport.
func (e *examiner) streams(ctx context.Context) {
	began := time.Now()
	e.add(CheckClock, began, e.clock(ctx))
	for _, form := range []struct {
		check     Check
		form      string
		transport Transport
	}{
		{CheckWebSocket, formSocket, TransportWebSocket}, {CheckSSE, formEvents, TransportSSE}, {CheckNDJSON, formLines, ""},
	} {
		began := time.Now()
		r := e.beacons(ctx, form.form)
		e.add(form.check, began, r)
		usable := r.Outcome == OutcomeOK || r.Outcome == OutcomeWarning
		if usable && form.transport != "" && e.out.Transport == "" {
			e.out.Transport = form.transport
		}
	}
	if e.out.Transport == "" {
		e.out.Transport = TransportPoll
	}
	if e.opts.Idle > 0 {
		began := time.Now()
		e.add(CheckIdle, began, e.idle(ctx))
	}
}

// add takes a result in.
func (e *examiner) add(check Check, began time.Time, r Result) {
	r.Check, r.TookMS = check, time.Since(began).Milliseconds()
	e.out.Good = e.out.Good && r.Outcome != OutcomeProblem
	e.out.Results = append(e.out.Results, r)
	if e.opts.OnResult != nil {
		e.opts.OnResult(r)
	}
}

// found is a result with one thing that is wrong.
func (e *examiner) found(cause Cause, text string) Result {
	return Result{Outcome: OutcomeProblem, Text: text, Findings: []Finding{e.finding(cause, text)}}
}

// finding is one thing that is wrong, with its cures.
func (e *examiner) finding(cause Cause, text string) Finding {
	f := Finding{Cause: cause, Text: text}
	e.blame(&f)
	return f
}
