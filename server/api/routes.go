package api

import (
	"net/http"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/wire"
)

// access says who may call a route. The zero value admits nobody, and a route with it is refused at the start.
type access int

const (
	accessNone access = iota
	// accessOpen: anybody.
	accessOpen
	// accessOwn: the handler checks by itself (an enrolment token, an agent's key, a login code).
	accessOwn
	// accessUser: a bearer token or the login cookie.
	accessUser
	// accessStream: as accessUser, or ?ticket=, or ?token= as LogFleet's clients send it.
	accessStream
	// accessSocket: as accessStream, and the origin of a browser is checked whatever it presents.
	accessSocket
)

// stream says whether a token in the URL is accepted.
func (a access) stream() bool { return a == accessStream || a == accessSocket }

// handler answers a request of who; an error that it returns was not written yet.
type handler func(w http.ResponseWriter, r *http.Request, who auth.Principal) error

// route is one row of the table.
type route struct {
	method string
	path   string
	access access
	serve  handler
}

// routes is the one table of everything that is served.
func (a *API) routes() []route {
	const base = wire.BasePath
	metrics := accessUser
	if a.o.MetricsOpen {
		metrics = accessOpen
	}
	return []route{
		{"POST", base + "/stream/start", accessUser, a.startSession},
		{"POST", base + "/stream/stop", accessUser, a.stopSession},
		{"POST", base + "/stream/ticket", accessUser, a.newTicket},
		{"GET", base + "/stream/sessions", accessUser, a.listSessions},
		{"GET", base + "/stream/ws/{id}", accessSocket, a.streamWith(a.upgraded(a.o.Streams.ServeWebSocket))},
		{"GET", base + "/stream/sse/{id}", accessStream, a.streamWith(a.o.Streams.ServeSSE)},
		{"GET", base + "/stream/ndjson/{id}", accessStream, a.streamWith(a.o.Streams.ServeNDJSON)},
		{"GET", base + "/stream/poll/{id}", accessStream, a.pollSession},
		{"GET", base + "/sessions/{id}", accessUser, a.getSession},
		{"PATCH", base + "/sessions/{id}", accessUser, a.patchSession},
		{"DELETE", base + "/sessions/{id}", accessUser, a.deleteSession},
		{"GET", base + "/agents", accessUser, a.listAgents},
		{"GET", base + "/agents/{id}", accessUser, a.getAgent},
		{"DELETE", base + "/agents/{id}", accessUser, a.deleteAgent},
		{"GET", base + "/agents/{id}/metrics", accessUser, a.agentMetrics},
		{"GET", base + "/enrolment", accessUser, a.enrolment},
		{"POST", wire.EnrolPath, accessOwn, a.enrol},
		{"GET", wire.AgentPath, accessOwn, a.link},
		{"POST", base + "/login", accessOwn, a.tokenLogin},
		{"POST", base + "/logout", accessOwn, a.logout},
		{"GET", base + "/me", accessUser, a.me},
		{"GET", base + "/beacon/ws", accessUser, a.beaconWith(a.beaconSocket)},
		{"GET", base + "/beacon/sse", accessUser, a.beaconWith(a.beaconPlain("text/event-stream", "data: ", "\n\n"))},
		{"GET", base + "/beacon/ndjson", accessUser, a.beaconWith(a.beaconPlain("application/x-ndjson", "", "\n"))},
		{"GET", base + "/openapi.json", accessOpen, a.openAPI},
		{"GET", "/metrics", metrics, plain(a.o.Metrics)},
		{"GET", "/healthz", accessOpen, a.healthz},
		{"GET", "/readyz", accessOpen, a.readyz},
		{"GET", "/login", accessOwn, a.loginPage},
		{"POST", "/login", accessOwn, a.login},
		{"GET", "/", accessOpen, a.page},
	}
}

// plain is a handler that answers everything by itself.
func plain(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
