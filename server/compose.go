package server

import (
	"io/fs"
	"log/slog"
	"net/http"
	"strings"

	"github.com/spilelog/spile/filter"
	"github.com/spilelog/spile/server/agentlink"
	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/server/registry"
	"github.com/spilelog/spile/server/sessions"
	"github.com/spilelog/spile/spec"
	"github.com/spilelog/spile/ui"
	"github.com/spilelog/spile/wire"
)

// compose makes the parts and ties them together; nothing runs yet.
func (s *Server) compose(tokens *auth.Tokens) error {
	openAPI, err := spec.OpenAPI()
	if err != nil {
		return err
	}
	s.logins = auth.NewLogins(nil)
	s.registry = registry.New(registry.Options{Store: s.store, Log: s.log})
	s.hub = hub.New(hub.Options{Fabric: s.fabric, Log: s.log})
	s.sessions = sessions.New(sessions.Options{
		Store: s.store, Agents: s.registry, Streams: s.hub, Publish: s.fabric, Check: checkFilters,
		StreamURL: "ws" + strings.TrimPrefix(s.base, "http") + wire.BasePath + "/stream/ws/", Log: s.log,
	})
	s.link = agentlink.New(agentlink.Options{
		Fabric: s.fabric, Agents: s.registry, Sessions: s.sessions, Version: s.config.Version, Log: s.log,
	})
	handler, err := s.handlerFor(tokens, openAPI)
	if err != nil {
		return err
	}
	s.api = handler
	s.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return nil
}

// checkFilters refuses filters that cannot be compiled.
func checkFilters(f wire.Filters) error {
	_, err := filter.Compile(f)
	return err
}

// pageFiles are the files of the page.
func pageFiles() fs.FS { return ui.Files() }
