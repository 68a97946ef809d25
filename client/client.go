// Package client speaks to a Spile server as people and programs do: the REST calls, and the stream of a session with
// resumption. The command line uses nothing else.
//
// Every refusal by the server, and a server that cannot be reached, is a [*wire.Error]; an ended context is returned
// as the context's error.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spilelog/spile/wire"
)

// maxAnswer bounds the bytes of one answer; a list of a full server's sessions stays far below.
const maxAnswer = 64 << 20

// Options are the settings of a [Client].
type Options struct {
	// BaseURL is where the server is, such as http://127.0.0.1:7800; a path before /api is kept.
	BaseURL string
	// Token is the bearer token. It travels in a header only, never in a URL. Empty sends none.
	Token string
	// HTTP makes the calls; nil means http.DefaultClient. A Timeout on it would cut streams.
	HTTP *http.Client
}

// Client makes calls to one server. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New checks the options and makes a client; it does not connect.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, wire.Invalid("server", "not a URL: %v", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, wire.Invalid("server", "%q must be a URL such as http://127.0.0.1:7800", o.BaseURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, wire.Invalid("server", "the URL must have no user, query or fragment")
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if strings.ContainsAny(o.Token, " \t\r\n") {
		return nil, wire.Invalid("token", "must be one word without spaces or line ends")
	}
	base := strings.TrimSuffix(u.String(), "/")
	return &Client{base: strings.TrimSuffix(base, wire.BasePath), token: o.Token, http: o.HTTP}, nil
}

// BaseURL is where the server is, without a slash at the end.
func (c *Client) BaseURL() string { return c.base }

// call makes one REST call and reads the answer into out, which may be nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+wire.BasePath+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	c.authorize(req.Header)
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return refusal(resp.StatusCode, data)
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return wire.Errorf(wire.CodeInternal, "%s answered %s with something else than expected: %v", c.base, path, err)
	}
	return nil
}

// authorize adds the token to a request's header.
func (c *Client) authorize(h http.Header) {
	if c.token != "" {
		h.Set("Authorization", "Bearer "+c.token)
	}
}

// unreachable is the error of a call that got no answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return wire.Errorf(wire.CodeUnavailable, "reach %s: %v", c.base, plain(err))
}

// plain is err without the URL, which is told once, by us; url.Error would tell it with the query.
func plain(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// refusal is the error of an answer that is none of success: the body if it is an error of ours, else one by the
// status alone, as a proxy in between would answer.
func refusal(status int, body []byte) *wire.Error {
	if isRefusal(body) {
		var e wire.Error
		if json.Unmarshal(body, &e) == nil {
			return &e
		}
	}
	text := http.StatusText(status)
	return wire.Errorf(codeOf(status), "the server answered %d %s", status, text)
}

// isRefusal says whether the body of an answer is a refusal by the server itself.
func isRefusal(body []byte) bool {
	var e wire.Error
	return json.Unmarshal(body, &e) == nil && e.Code != ""
}

// codeOf is the most general code with an HTTP status.
func codeOf(status int) wire.Code {
	switch status {
	case http.StatusConflict:
		return wire.CodeConflict
	case http.StatusTooManyRequests:
		return wire.CodeRateLimited
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return wire.CodeUnavailable
	}
	for code, s := range wire.Codes() {
		if s == status {
			return code
		}
	}
	if status < http.StatusInternalServerError {
		return wire.CodeValidation
	}
	return wire.CodeInternal
}
