package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spilelog/spile/wire"
)

const (
	// stepTimeout bounds each step of an examination that needs one answer only.
	stepTimeout = 10 * time.Second
	// certificateWarning is how long before its end a certificate is spoken of.
	certificateWarning = 14 * 24 * time.Hour
	// clockWarning is how far clocks may differ before it is spoken of.
	clockWarning = 2 * time.Second
)

// endpoint is the host and port that calls to the server are made to first: the server's, or those of the proxy that
// the environment names.
func (e *examiner) endpoint() (host, port, proxy string) {
	u, err := url.Parse(e.client.base)
	if err != nil {
		return "", "", ""
	}
	if t, ok := e.transport(); ok && t.Proxy != nil {
		if p, err := t.Proxy(&http.Request{URL: u, Header: http.Header{}}); err == nil && p != nil {
			u, proxy = p, p.Redacted()
		}
	}
	if port = u.Port(); port == "" {
		port = map[string]string{"https": "443", "socks5": "1080"}[u.Scheme]
		if port == "" {
			port = "80"
		}
	}
	return u.Hostname(), port, proxy
}

// transport is what makes the client's calls, if it is of the usual kind.
func (e *examiner) transport() (*http.Transport, bool) {
	rt := e.client.http.Transport
	if rt == nil {
		rt = http.DefaultTransport
	}
	t, ok := rt.(*http.Transport)
	return t, ok
}

// dns looks the name up.
func (e *examiner) dns(ctx context.Context) Result {
	host, _, proxy := e.endpoint()
	through := ""
	if proxy != "" {
		through = " (the proxy of the environment, " + proxy + ")"
	}
	if net.ParseIP(host) != nil {
		return Result{Outcome: OutcomeOK, Text: host + " is an address" + through}
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return e.found(CauseName, fmt.Sprintf("the name %s cannot be resolved: %v", host, err))
	}
	return Result{Outcome: OutcomeOK, Text: fmt.Sprintf("%s is %s%s", host, strings.Join(found, ", "), through)}
}

// tcp connects.
func (e *examiner) tcp(ctx context.Context) Result {
	host, port, _ := e.endpoint()
	address := net.JoinHostPort(host, port)
	began := time.Now()
	conn, err := (&net.Dialer{Timeout: stepTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return e.found(CausePort, fmt.Sprintf("nothing can be connected to at %s: %v", address, err))
	}
	defer conn.Close()
	return Result{Outcome: OutcomeOK, Text: fmt.Sprintf("connected to %s in %s", address, brief(time.Since(began)))}
}

// tls makes a handshake with the server itself.
func (e *examiner) tls(ctx context.Context) Result {
	u, err := url.Parse(e.client.base)
	_, _, proxy := e.endpoint()
	if err != nil || u.Scheme != "https" {
		return Result{Outcome: OutcomeSkipped, Text: "not used"}
	}
	if proxy != "" {
		return Result{Outcome: OutcomeSkipped, Text: "not tried through the proxy of the environment"}
	}
	config := &tls.Config{}
	if t, ok := e.transport(); ok && t.TLSClientConfig != nil {
		config = t.TLSClientConfig.Clone()
	}
	config.ServerName = u.Hostname()
	port := u.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return e.found(CauseCertificate, fmt.Sprintf("no TLS with %s: %v", u.Host, err))
	}
	defer conn.Close()
	secured, ok := conn.(*tls.Conn)
	if !ok || len(secured.ConnectionState().PeerCertificates) == 0 {
		return Result{Outcome: OutcomeOK, Text: "secured"}
	}
	state := secured.ConnectionState()
	ends := state.PeerCertificates[0].NotAfter
	r := Result{Outcome: OutcomeOK, Text: fmt.Sprintf("%s, the certificate is good until %s",
		tls.VersionName(state.Version), ends.Format(time.DateOnly))}
	if time.Until(ends) < certificateWarning {
		r.Outcome = OutcomeWarning
	}
	return r
}

// health asks whether a server is there.
func (e *examiner) health(ctx context.Context) Result {
	began := time.Now()
	status, body, err := e.get(ctx, "/healthz")
	if err != nil {
		return e.found(CauseForeign, fmt.Sprintf("no answer from /healthz: %v", plain(err)))
	}
	var health struct {
		Status string `json:"status"`
	}
	switch {
	case status >= http.StatusInternalServerError && !isRefusal(body):
		return e.found(CauseForeign, fmt.Sprintf("%s answers %s: the server behind it is away%s", e.whoever(),
			statusText(status), e.asWhat()))
	case status != http.StatusOK || json.Unmarshal(body, &health) != nil || health.Status != "ok":
		return e.found(CauseForeign, fmt.Sprintf("%s answers /healthz with %s, which no Spile server does%s",
			e.whoever(), statusText(status), e.asWhat()))
	}
	return Result{Outcome: OutcomeOK, Text: "a Spile server answers in " + brief(time.Since(began))}
}

// whoever is the proxy that shows itself, or something.
func (e *examiner) whoever() string {
	if len(e.out.Hops) > 0 {
		return e.out.Hops[0]
	}
	return "something"
}

// asWhat says where the server was looked for, as far as that helps.
func (e *examiner) asWhat() string {
	if u, err := url.Parse(e.client.base); err == nil && u.Path != "" {
		return "; is the path " + u.Path + " right?"
	}
	return ""
}

// token asks who the token stands for.
func (e *examiner) token(ctx context.Context) Result {
	status, body, err := e.get(ctx, wire.BasePath+"/me")
	if err != nil {
		return e.found(CauseForeign, fmt.Sprintf("no answer from %s/me: %v", wire.BasePath, plain(err)))
	}
	var me wire.Me
	switch {
	case status == http.StatusOK && json.Unmarshal(body, &me) == nil && me.Subject != "":
		return Result{Outcome: OutcomeOK, Text: fmt.Sprintf("good for %s until %s; the server is %s", me.Subject,
			me.ExpiresAt.UTC().Format(time.DateOnly), me.Server.Version)}
	case !isRefusal(body):
		return e.found(CauseForeign, fmt.Sprintf("%s answers %s/me with %s", e.whoever(), wire.BasePath,
			statusText(status)))
	case e.client.token == "":
		return e.found(CauseToken, "no token was given")
	}
	return e.found(CauseToken, "the server does not take the token: "+refusal(status, body).Message)
}

// clock compares the clocks by one beacon, which no buffer holds back, since the answer ends with it.
func (e *examiner) clock(ctx context.Context) Result {
	began := time.Now()
	status, body, err := e.get(ctx, wire.BasePath+"/beacon/ndjson?count=0")
	took := time.Since(began)
	var b wire.Beacon
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &b) != nil || b.SentAt.IsZero() {
		return Result{Outcome: OutcomeSkipped, Text: "the server sends no beacons"}
	}
	offset := b.SentAt.Sub(began.Add(took / 2))
	text := fmt.Sprintf("%s apart, give or take %s", brief(offset.Abs()), brief(took/2))
	if offset.Abs()-took/2 <= clockWarning {
		return Result{Outcome: OutcomeOK, Text: text}
	}
	text = fmt.Sprintf("the server's clock is %s ahead of this machine's", brief(offset))
	if offset < 0 {
		text = fmt.Sprintf("the server's clock is %s behind this machine's", brief(-offset))
	}
	text += "; times of logs and of --since are those of other clocks"
	return Result{Outcome: OutcomeWarning, Text: text, Findings: []Finding{e.finding(CauseClock, text)}}
}

// statusText is an HTTP status for people.
func statusText(status int) string { return fmt.Sprintf("%d %s", status, http.StatusText(status)) }

// get makes one call and notes who answers.
func (e *examiner) get(ctx context.Context, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.client.base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/json")
	e.client.authorize(req.Header)
	resp, err := e.client.http.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("nothing came within %v", stepTimeout)
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	e.meet(resp.Header)
	body, err = io.ReadAll(io.LimitReader(resp.Body, wire.MaxBody))
	return resp.StatusCode, body, err
}

// brief is a length of time for people.
func brief(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "less than 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
