// Package fields breaks the rules of fields.
package fields

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	conv "github.com/spilelog/spile/convention"
)

type code int

type secret struct{}

func (secret) LogValue() slog.Value { return slog.IntValue(1) }

type host struct{}

func (host) String() string { return "127.0.0.1" }

func types(log *slog.Logger, d time.Duration, n int64, text string, c code, err error, f float64, any_ any, b []byte) {
	log.Info("user_removed", "duration", d, "user", text)                        // want `RC05 warning: duration is time.Duration: must be a whole number`
	log.Info("user_removed", slog.Duration("duration", time.Since(time.Time{}))) // want `RC05 warning`
	log.Info("user_removed", "duration", 2*time.Second)                          // want `RC05 warning`
	log.Info("user_removed", "duration", f)                                      // want `RC05 warning: duration is float64`
	log.Info("user_removed", "duration", n, "code", c, "port", 5222, "tags", []string{text})
	log.Info("user_removed", "duration_us", n)           // want `RC05 warning: duration_us is not a field`
	log.Info("user_removed", "code", "200")              // want `RC05 warning: .*suggestion: 200`
	log.Info("user_removed", slog.String("code", "200")) // want `RC05 warning: .*suggestion: 200`
	log.Info("user_removed", slog.Any("code", "200"))    // want `RC05 warning: .*suggestion: 200`
	log.Info("user_removed", "code", text)               // want `RC05 warning: code is string: must be a whole number`
	log.Info("user_removed", "code", secret{}, "ip", any_, "peer", host{})
	log.Info("user_removed", "port", 70000)                 // want `RC05 warning: port is`
	log.Info("user_removed", "tags", text)                  // want `RC05 warning: tags is string: must be a list`
	log.Info("user_removed", slog.String("tags", "c2s"))    // want `RC05 warning`
	log.Info("user_removed", "tags", b)                     // want `RC05 warning: tags is \[\]byte`
	log.Info("user_removed", "text", err, "user", b)        // want `RC05 warning: text is error` `RC05 warning: user is \[\]byte`
	log.Info("user_removed", "ip", "not an address")        // want `RC05 warning: ip is`
	log.Info("user_removed", "ip", 5, "peer", netip.Addr{}) // want `RC05 warning: ip is` `RC05 warning: peer is netip.Addr`
	log.Info("user_removed", "ip", netip.Addr{}, "peer", &net.TCPAddr{}, "user", text, "server", fmt.Sprint(1))
	log.Info("user_removed", conv.Duration(d), conv.Port(1), conv.Tags(text))
	log.With("duration", d).Info("user_removed")             // want `RC05 warning`
	log.WithGroup("g").Info("user_removed", "duration", d)   // it is g.duration
	log.Info("user_removed", slog.Group("g", "duration", d)) // so is this
	_ = slog.Group("g", slog.Duration("duration", d))
}

func records(ctx context.Context, log *slog.Logger, err error, attrs []slog.Attr, level slog.Level) {
	log.Info("user_removed", "pid", 5)                                         // want `RC03 warning: pid is reserved`
	log.Info("user_removed", conv.IQ(nil), conv.Acc(conv.Accumulator{}))       // want `RC04 warning: .*keep acc`
	log.Error("removal_failed", conv.Class(conv.ClassError), conv.Reason(err)) // want `RC01 warning: .*stacktrace missing`
	log.With(conv.Stacktrace("x")).Error("removal_exception", conv.Class("error"), "reason", err)
	log.LogAttrs(ctx, level, "removal_exception", append(attrs, conv.Class("error"))...)
	log.Error("removal_failed", conv.Class("error"), attrs[0])
	log.Warn("unexpected_info", conv.Msg(1))
	log.Info("unexpected_info", conv.Msg(1))                             // want `RC06 warning: .*must be warning`
	log.Warn("unexpected_cast")                                          // want `RC06 warning: .*must have msg`
	log.Log(ctx, level, "unexpected_info", conv.Msg(1), conv.State(nil)) // want `RC06 warning: .*does not need state`
	log.Log(ctx, slog.Level(-8), "user_removed")                         // want `RC07 error: level "trace"`
	log.Log(ctx, level, "user_removed")
}
