package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/server/sessions"
	"github.com/spilelog/spile/wire"
)

// answer writes a JSON body.
func (a *API) answer(w http.ResponseWriter, status int, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(append(data, '\n')); err != nil {
		// The caller has gone; there is nobody to tell.
		a.log.Debug("answer_write_failed", "reason", err)
	}
	return nil
}

// refuse writes an error. What is not a refusal is our own fault: it is logged, and the caller is told no detail.
func (a *API) refuse(w http.ResponseWriter, err error) {
	if busy, ok := errors.AsType[*sessions.BusyError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(busy.RetryAfter/time.Second)))
	}
	refusal, ok := errors.AsType[*wire.Error](err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			a.log.Debug("request_abandoned", "reason", err)
		} else {
			a.log.Error("request_failed", "reason", err)
		}
		refusal = wire.Errorf(wire.CodeInternal, "the server failed; its log says why")
		if errors.Is(err, store.ErrUnwritable) {
			refusal = wire.Errorf(wire.CodeStorage, "the server cannot write its database; is its disk full?")
		}
	}
	if err := a.answer(w, refusal.Code.Status(), refusal); err != nil {
		a.log.Error("refusal_write_failed", "reason", err)
	}
}

// link is GET /agent.
func (a *API) link(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	if !upgrades(r) {
		return a.wantUpgrade(w)
	}
	a.o.Link.ServeHTTP(w, r)
	return nil
}

// upgraded serves a stream to those who ask for a WebSocket, and tells the others what to do.
func (a *API) upgraded(
	serve func(http.ResponseWriter, *http.Request, string, hub.View),
) func(http.ResponseWriter, *http.Request, string, hub.View) {
	return func(w http.ResponseWriter, r *http.Request, id string, v hub.View) {
		if upgrades(r) {
			serve(w, r, id, v)
		} else if err := a.wantUpgrade(w); err != nil {
			a.log.Error("refusal_write_failed", "reason", err)
		}
	}
}

// upgrades says whether a request asks for a WebSocket.
func upgrades(r *http.Request) bool {
	return hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket")
}

// wantUpgrade refuses a request that asks for no WebSocket.
func (a *API) wantUpgrade(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	return a.answer(w, http.StatusUpgradeRequired, wire.Invalid("Upgrade",
		"must be websocket, with Connection: Upgrade; without WebSockets, take stream/sse or stream/ndjson"))
}

// hasToken says whether a header that is a list holds token, in any case.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}
