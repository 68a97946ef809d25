package api

import (
	"net/http"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/wire"
)

// listAgents is GET /agents.
func (a *API) listAgents(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	list, err := a.o.Agents.List(r.Context())
	if err != nil {
		return err
	}
	counts, _ := a.o.Sessions.Counts()
	for i := range list {
		list[i].Sessions = counts[list[i].ID]
	}
	return a.answer(w, http.StatusOK, wire.AgentList{Agents: list, Total: len(list)})
}

// getAgent is GET /agents/{id}.
func (a *API) getAgent(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	agent, err := a.o.Agents.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	counts, _ := a.o.Sessions.Counts()
	agent.Sessions = counts[agent.ID]
	return a.answer(w, http.StatusOK, agent)
}

// deleteAgent is DELETE /agents/{id}.
func (a *API) deleteAgent(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	agent, err := a.o.Agents.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := a.o.Sessions.Forget(r.Context(), agent.ID); err != nil {
		return err
	}
	if err := a.o.Agents.Forget(r.Context(), agent.ID); err != nil {
		return err
	}
	a.o.Sessions.Cut(agent.ID)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// agentMetrics is GET /agents/{id}/metrics.
func (a *API) agentMetrics(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	agent, err := a.o.Agents.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusOK, wire.AgentMetrics{AgentID: agent.ID, Points: a.o.Agents.History(agent.ID)})
}

// enrol is POST /enrol.
func (a *API) enrol(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	var request wire.EnrolRequest
	err := readBody(w, r, []field{
		{"token", allowedText, &request.Token},
		{"name", allowedText, &request.Name},
		{"labels", "an object of strings", &request.Labels},
		{"public_key", "a string: an Ed25519 key, 32 bytes in base64", &request.PublicKey},
		{"version", allowedText, &request.Version},
	})
	if err != nil {
		return err
	}
	good, err := a.o.CheckEnrol(request.Token)
	if err != nil {
		return err
	}
	if !good {
		return wire.Errorf(wire.CodeUnauthorized, "the enrolment token is not valid here")
	}
	response, err := a.o.Agents.Enrol(r.Context(), request)
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusOK, response)
}
