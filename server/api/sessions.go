package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/server/sessions"
	"github.com/spilelog/spile/wire"
)

// startFields are the members of a start.
func startFields(s *wire.StartRequest) []field {
	allowedContext := fmt.Sprintf("a whole number from 0 to %d", wire.MaxContext)
	return []field{
		{"agent_id", "a string: an agent's id or name", &s.AgentID},
		{"agents", "a list of strings: agents' ids or names", &s.Agents},
		{"timeout_seconds", allowedTimeout, &s.TimeoutSeconds},
		{"filters", "an object", []field{
			{"level", allowedTexts, &s.Filters.Level},
			{"min_level", allowedText, &s.Filters.MinLevel},
			{"source", allowedTexts, &s.Filters.Source},
			{"pattern", allowedText, &s.Filters.Pattern},
			{"scope", allowedTexts, &s.Filters.Scope},
		}},
		{"mode", "a string: live or complete", &s.Mode},
		{"since", "a string: a duration such as 10m, seconds such as 600, or an RFC 3339 time", &s.Since},
		{"tail", fmt.Sprintf("a whole number from 0 to %d", wire.MaxHistory), &s.Tail},
		{"context", "an object", []field{
			{"before", allowedContext, &s.Context.Before},
			{"after", allowedContext, &s.Context.After},
		}},
		{"raw", "true or false", &s.Raw},
		{"reason", allowedText, &s.Reason},
	}
}

// allowedTimeout says what a timeout may be.
const allowedTimeout = "a whole number from 1 to 3600"

// startSession is POST /stream/start.
func (a *API) startSession(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	var request wire.StartRequest
	if err := readBody(w, r, startFields(&request)); err != nil {
		return err
	}
	s, warnings, err := a.o.Sessions.Start(r.Context(), request, who.Subject)
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusCreated, wire.StartResponse{
		Session: s, SessionID: s.ID, AgentID: s.AgentID, Status: s.Status, WebSocketURL: s.WebSocketURL,
		Warnings: warnings,
	})
}

// stopSession is POST /stream/stop.
func (a *API) stopSession(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	var request wire.StopRequest
	if err := readBody(w, r, []field{{"session_id", allowedText, &request.SessionID}}); err != nil {
		return err
	}
	if request.SessionID == "" {
		return wire.Invalid("session_id", "must be the id of a session")
	}
	s, err := a.o.Sessions.Stop(r.Context(), request.SessionID)
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusOK, s)
}

// listSessions is GET /stream/sessions.
func (a *API) listSessions(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	var status wire.Status
	switch text := r.URL.Query().Get("status"); text {
	case "", string(wire.StatusActive):
		status = wire.StatusActive
	case string(wire.StatusEnded):
		status = wire.StatusEnded
	case "all":
	default:
		return wire.Invalid("status", "%q is not a status; must be active, ended or all", text)
	}
	list, err := a.o.Sessions.List(r.Context(), status)
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusOK, wire.SessionList{Sessions: list, Total: len(list)})
}

// getSession is GET /sessions/{id}.
func (a *API) getSession(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	s, err := a.o.Sessions.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusOK, s)
}

// patchSession is PATCH /sessions/{id}.
func (a *API) patchSession(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	var request wire.PatchRequest
	if err := readBody(w, r, []field{{"timeout_seconds", allowedTimeout, &request.TimeoutSeconds}}); err != nil {
		return err
	}
	if request.TimeoutSeconds == nil {
		return wire.Invalid("timeout_seconds", "must be given: %s", allowedTimeout)
	}
	timeout, err := sessions.Timeout(request.TimeoutSeconds)
	if err != nil {
		return err
	}
	s, err := a.o.Sessions.Extend(r.Context(), r.PathValue("id"), timeout)
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusOK, s)
}

// deleteSession is DELETE /sessions/{id}.
func (a *API) deleteSession(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	if _, err := a.o.Sessions.Stop(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// streamWith is the handler of a stream; everything is checked before the first byte.
func (a *API) streamWith(serve func(http.ResponseWriter, *http.Request, string, hub.View)) handler {
	return func(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
		id := r.PathValue("id")
		view, err := viewOf(r)
		if err != nil {
			return err
		}
		if err := a.watchable(r.Context(), id, view); err != nil {
			return err
		}
		// A stream lasts no longer than the right to it.
		view.Until = who.Expires
		if who.Login != "" {
			view.Revoked = func(end func()) func() { return a.o.Tokens.Watch(who, end) }
		}
		// Proxies that gather answers would hold a live stream back.
		w.Header().Set("X-Accel-Buffering", "no")
		serve(w, r, id, view)
		return nil
	}
}

// watchable says whether a session can be watched: nil, or a *wire.Error not_found or session_ended. One that has just
// ended can be by who returns and can say what it is owed.
func (a *API) watchable(ctx context.Context, id string, view hub.View) error {
	err := a.o.Sessions.Open(ctx, id)
	refusal, ok := errors.AsType[*wire.Error](err)
	if ok && refusal.Code == wire.CodeSessionEnded && (view.HasAfter || view.FromStart) && a.o.Streams.Held(id) {
		return nil
	}
	return err
}

// viewOf reads how a viewer wants to see a session.
func viewOf(r *http.Request) (hub.View, error) {
	var v hub.View
	query := r.URL.Query()
	name, after := "after", query.Get("after")
	if after == "" {
		name, after = "Last-Event-ID", r.Header.Get("Last-Event-ID")
	}
	if after != "" {
		cursor, err := wire.ParseCursor(after)
		if err != nil {
			return v, wire.Invalid(name, "%v", err)
		}
		v.After, v.HasAfter = cursor, true
	}
	for _, choice := range []struct {
		name  string
		words map[string]*bool
		valid string
	}{
		{"from", map[string]*bool{"start": &v.FromStart, "now": &v.FromNow}, "start or now"},
		{"events", map[string]*bool{"all": &v.AllEvents, "default": nil}, "all or default"},
		{"batch", map[string]*bool{"1": &v.Batch, "true": &v.Batch, "0": nil, "false": nil}, "1 or 0"},
	} {
		text := query.Get(choice.name)
		if text == "" {
			continue
		}
		set, ok := choice.words[text]
		if !ok {
			return v, wire.Invalid(choice.name, "%q is not valid; must be %s", clipName(text), choice.valid)
		}
		if set != nil {
			*set = true
		}
	}
	return v, nil
}
