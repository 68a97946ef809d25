package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spilelog/spile/wire"
)

// Start opens a session.
func (c *Client) Start(ctx context.Context, req wire.StartRequest) (*wire.StartResponse, error) {
	var out wire.StartResponse
	if err := c.call(ctx, http.MethodPost, "/stream/start", req, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Stop ends a session and returns it with its final accounts. Stopping twice is no error.
func (c *Client) Stop(ctx context.Context, sessionID string) (*wire.Session, error) {
	var out wire.Session
	if err := c.call(ctx, http.MethodPost, "/stream/stop", wire.StopRequest{SessionID: sessionID}, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Sessions lists the sessions with a status: a [wire.Status] word, or empty for the active ones.
func (c *Client) Sessions(ctx context.Context, status string) (*wire.SessionList, error) {
	path := "/stream/sessions"
	if status != "" {
		path += "?status=" + url.QueryEscape(status)
	}
	var out wire.SessionList
	if err := c.call(ctx, http.MethodGet, path, nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Session reads one session.
func (c *Client) Session(ctx context.Context, sessionID string) (*wire.Session, error) {
	var out wire.Session
	if err := c.call(ctx, http.MethodGet, "/sessions/"+url.PathEscape(sessionID), nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Extend gives a session a new remaining length in seconds, counted from now.
func (c *Client) Extend(ctx context.Context, sessionID string, seconds int) (*wire.Session, error) {
	var out wire.Session
	req := wire.PatchRequest{TimeoutSeconds: &seconds}
	if err := c.call(ctx, http.MethodPatch, "/sessions/"+url.PathEscape(sessionID), req, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Delete ends a session as Stop does and returns nothing of it.
func (c *Client) Delete(ctx context.Context, sessionID string) error {
	return c.call(ctx, http.MethodDelete, "/sessions/"+url.PathEscape(sessionID), nil, nil)
}

// Agents lists the fleet.
func (c *Client) Agents(ctx context.Context) (*wire.AgentList, error) {
	var out wire.AgentList
	if err := c.call(ctx, http.MethodGet, "/agents", nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Agent reads one agent by its id or name.
func (c *Client) Agent(ctx context.Context, agent string) (*wire.Agent, error) {
	var out wire.Agent
	if err := c.call(ctx, http.MethodGet, "/agents/"+url.PathEscape(agent), nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// AgentMetrics reads what an agent counted in the last hour.
func (c *Client) AgentMetrics(ctx context.Context, agent string) (*wire.AgentMetrics, error) {
	var out wire.AgentMetrics
	if err := c.call(ctx, http.MethodGet, "/agents/"+url.PathEscape(agent)+"/metrics", nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}
