// Package api is a server's face to the network: the table of routes with who may call each, the REST calls, the
// streams, the login and the page.
package api

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// Sessions keeps the sessions.
type Sessions interface {
	Start(ctx context.Context, request wire.StartRequest, who string) (wire.Session, []string, error)
	Stop(ctx context.Context, id string) (wire.Session, error)
	Get(ctx context.Context, id string) (wire.Session, error)
	List(ctx context.Context, status wire.Status) ([]wire.Session, error)
	Extend(ctx context.Context, id string, timeout time.Duration) (wire.Session, error)
	// Open says whether a session can be watched.
	Open(ctx context.Context, id string) error
	// Counts is how many sessions each agent has open.
	Counts() (byAgent map[string]int, all int)
	// Forget stops the sessions of an agent that is about to be forgotten.
	Forget(ctx context.Context, agentID string) error
	// Cut ends the link of an agent that was forgotten.
	Cut(agentID string)
}

// Agents keeps the agents.
type Agents interface {
	List(ctx context.Context) ([]wire.Agent, error)
	Find(ctx context.Context, idOrName string) (wire.Agent, error)
	Forget(ctx context.Context, id string) error
	History(agentID string) []wire.MetricsPoint
	Enrol(ctx context.Context, request wire.EnrolRequest) (wire.EnrolResponse, error)
}

// Streams serves viewers.
type Streams interface {
	// Held says whether a session is open, or ended so recently that who returns with a cursor gets the rest of it.
	Held(id string) bool
	ServeWebSocket(w http.ResponseWriter, r *http.Request, id string, v hub.View)
	ServeSSE(w http.ResponseWriter, r *http.Request, id string, v hub.View)
	ServeNDJSON(w http.ResponseWriter, r *http.Request, id string, v hub.View)
	Polls
}

// Options configure the handler; what is not said to be optional is required.
type Options struct {
	Sessions Sessions
	Agents   Agents
	Streams  Streams
	Tokens   *auth.Tokens
	Logins   *auth.Logins
	// Link is the handler of the agent link; it checks who calls by itself.
	Link http.Handler
	// Metrics is the handler of /metrics; MetricsOpen lets anybody call it.
	Metrics     http.Handler
	MetricsOpen bool
	// Page is the page: index.html and the files beside it.
	Page fs.FS
	// OpenAPI is the contract in JSON.
	OpenAPI []byte
	// CheckEnrol says whether a text is the enrolment token.
	CheckEnrol func(token string) (bool, error)
	// EnrolToken is the enrolment token.
	EnrolToken func() (string, error)
	// Ready says whether the server can do its work.
	Ready func(ctx context.Context) error
	// PublicURL is where people reach the server, if it differs from where it listens; optional.
	PublicURL string
	// BaseURL is where the server listens, as a URL.
	BaseURL string
	// Version is told to callers.
	Version string
	// Log is for the handler's own events; nil discards them. No URL, no query and no header is ever logged.
	Log *slog.Logger
}

// API is the handler of everything that a server answers.
type API struct {
	o       Options
	log     *slog.Logger
	mux     *http.ServeMux
	tickets *auth.Tickets
	beacons beacons
}

// New makes the handler. A route without an access rule is an error.
func New(o Options) (*API, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{
		o: o, log: o.Log, mux: http.NewServeMux(), tickets: auth.NewTickets(nil),
		beacons: beacons{stop: make(chan struct{})},
	}
	paths := map[string][]route{}
	var order []string
	for _, r := range a.routes() {
		if r.access == accessNone {
			return nil, fmt.Errorf("route %s %s has no access rule", r.method, r.path)
		}
		if paths[r.path] == nil {
			order = append(order, r.path)
		}
		paths[r.path] = append(paths[r.path], r)
	}
	for _, path := range order {
		a.mux.Handle(path, a.dispatch(paths[path]))
	}
	return a, nil
}

// dispatch picks a path's route by method and applies its access rule.
func (a *API) dispatch(routes []route) http.Handler {
	methods := make([]string, 0, len(routes))
	for _, r := range routes {
		methods = append(methods, r.method)
	}
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range routes {
			head := r.Method == http.MethodHead && route.method == http.MethodGet && !route.access.stream()
			if r.Method == route.method || head {
				a.serve(w, r, route)
				return
			}
		}
		w.Header().Set("Allow", allow)
		a.refuse(w, wire.Errorf(wire.CodeMethodNotAllowed, "this path takes %s only", allow))
	})
}

// serve answers one request.
func (a *API) serve(w http.ResponseWriter, r *http.Request, route route) {
	who, err := a.admit(r, route.access)
	if err != nil {
		if unauthorized(err) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="spile"`)
		}
		a.refuse(w, err)
		return
	}
	if err := route.serve(w, r, who); err != nil {
		a.refuse(w, err)
	}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	// With no-referrer browsers would call the origin of the login form "null".
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; "+
		"img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	a.mux.ServeHTTP(w, r)
}
