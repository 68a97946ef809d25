// Package server is the control plane: it composes the store, the agents' links, the sessions, the streams and the API
// into one process behind one port.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/server/agentlink"
	"github.com/spilelog/spile/server/api"
	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/server/registry"
	"github.com/spilelog/spile/server/sessions"
	"github.com/spilelog/spile/wire"
)

const (
	// DefaultListen is where a server listens when nothing is said.
	DefaultListen = "127.0.0.1:7800"

	headerTimeout   = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeader       = 64 << 10
)

// Config are the settings of a server.
type Config struct {
	// Listen is the address of the one port; empty means DefaultListen, port 0 a free one.
	Listen string
	// Data is the folder of everything that must survive the process; required.
	Data string
	// PublicURL is where people reach the server, when that is not where it listens.
	PublicURL string
	// Version is told to agents.
	Version string
	// Log is for the server's own events; nil discards them.
	Log *slog.Logger
	// Ready, if set, is called once with the server's URL when it serves.
	Ready func(baseURL string)
	// MetricsOpen lets anybody read /metrics.
	MetricsOpen bool
}

// Server is one server. Run serves; Close frees everything, also when Run was never called.
type Server struct {
	config   Config
	log      *slog.Logger
	base     string
	listener net.Listener
	peers    *peers
	claim    *store.Claim
	store    *store.Store
	fabric   fabric.Fabric
	hub      *hub.Hub
	link     *agentlink.Handler
	registry *registry.Registry
	sessions *sessions.Manager
	logins   *auth.Logins
	api      *api.API
	http     *http.Server

	closeOnce sync.Once
	closeErr  error
}

// New opens the store, makes what is missing in the data folder, takes the port and brings back the sessions of an
// earlier process. The caller closes the server.
func New(ctx context.Context, c Config) (_ *Server, err error) {
	if c.Data == "" {
		return nil, wire.Invalid("data", "must be a folder")
	}
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	public, err := checkPublicURL(c.PublicURL)
	if err != nil {
		return nil, err
	}
	c.PublicURL = public
	s := &Server{config: c, log: c.Log, fabric: fabric.NewMemory()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	// Two servers on one folder would each know half of the agents and sessions.
	if s.claim, err = store.Take(ctx, c.Data); err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, c.Data); err != nil {
		return nil, err
	}
	tokens, err := auth.NewTokens(ctx, s.store, nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(tokens.EnsureAdmin(c.Data), auth.EnsureEnrol(c.Data)); err != nil {
		return nil, err
	}
	if s.listener, err = listenConfig().Listen(ctx, "tcp", c.Listen); err != nil {
		return nil, fmt.Errorf("take port: %w", err)
	}
	s.peers = watchPeers(s.listener)
	s.base = c.PublicURL
	if s.base == "" {
		s.base = listenURL(s.listener.Addr())
	}
	if err := s.compose(tokens); err != nil {
		return nil, err
	}
	if err := s.sessions.Restore(ctx); err != nil {
		return nil, fmt.Errorf("restore sessions: %w", err)
	}
	return s, nil
}

// checkPublicURL refuses what cannot be put before a path.
func checkPublicURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return "", wire.Invalid("public_url",
			"%q must be a URL such as https://spile.example.org, without user or query", text)
	}
	return strings.TrimRight(text, "/"), nil
}

// listenURL is the URL of an address that a server listens at; every address at once is reached at this machine's own.
func listenURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// URL is where people reach the server, without a slash at the end.
func (s *Server) URL() string { return s.base }

// AdminTokenFile is the path of the file with the admin's token.
func (s *Server) AdminTokenFile() string { return filepath.Join(s.config.Data, auth.AdminFile) }

// EnrolTokenFile is the path of the file with the enrolment token.
func (s *Server) EnrolTokenFile() string { return filepath.Join(s.config.Data, auth.EnrolFile) }

// NewLogin returns a URL that logs one person in at the page, once.
func (s *Server) NewLogin() string { return s.base + "/login?code=" + s.logins.New() }

// Run serves until ctx ends, then lets go of everything in order. Sessions stay active for the next process.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.registry.Run(ctx) })
	group.Go(func() error { return s.sessions.Run(ctx) })
	group.Go(func() error { return s.peers.run(ctx) })
	group.Go(func() error {
		if err := s.http.Serve(s.peers); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return s.shutdown(context.WithoutCancel(ctx))
	})
	s.log.Info("server_started", "url", s.base, "version", s.config.Version)
	if s.config.Ready != nil {
		s.config.Ready(s.base)
	}
	err := group.Wait()
	s.log.Info("server_stopped")
	return err
}

// shutdown ends viewers and links first, since they would never end by themselves.
func (s *Server) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	err := errors.Join(s.hub.Close(), s.link.Close(), s.api.Close())
	if late := s.http.Shutdown(ctx); late != nil {
		err = errors.Join(err, s.http.Close())
	}
	return err
}

// Close frees everything. It is called after Run has returned, or instead of Run; a second call returns the same.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		var all []error
		if s.hub != nil {
			all = append(all, s.hub.Close())
		}
		if s.link != nil {
			all = append(all, s.link.Close())
		}
		if s.api != nil {
			all = append(all, s.api.Close())
		}
		if s.http != nil {
			all = append(all, s.http.Close())
		}
		if s.listener != nil {
			if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
				all = append(all, err)
			}
		}
		all = append(all, s.fabric.Close())
		if s.store != nil {
			all = append(all, s.store.Close())
		}
		if s.claim != nil {
			all = append(all, s.claim.Close())
		}
		s.closeErr = errors.Join(all...)
	})
	return s.closeErr
}

// CreateToken makes a token for subject that lasts ttl, with the key in the store of the data folder.
func CreateToken(ctx context.Context, data, subject string, ttl time.Duration) (_ string, err error) {
	if !store.Exists(data) {
		return "", wire.Invalid("data", "%q is not the data folder of a server; start one there first", data)
	}
	st, err := store.Open(ctx, data)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	tokens, err := auth.NewTokens(ctx, st, nil)
	if err != nil {
		return "", err
	}
	return tokens.Issue(subject, ttl)
}

// handlerFor makes the handler of everything that is served.
func (s *Server) handlerFor(tokens *auth.Tokens, openAPI []byte) (*api.API, error) {
	return api.New(api.Options{
		Sessions: s.sessions, Agents: s.registry, Streams: s.hub, Tokens: tokens, Logins: s.logins, Link: s.link,
		Metrics:     metricsHandler(newCollector(s.registry, s.sessions, s.log), newSums(s.hub.Totals)),
		MetricsOpen: s.config.MetricsOpen, Page: pageFiles(), OpenAPI: openAPI,
		CheckEnrol: func(token string) (bool, error) { return auth.CheckEnrol(s.config.Data, token) },
		EnrolToken: func() (string, error) { return auth.ReadEnrol(s.config.Data) },
		Ready:      s.store.Ping, PublicURL: s.config.PublicURL, BaseURL: s.base, Version: s.config.Version, Log: s.log,
	})
}
