package tap

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/wire"
)

// What holds where the options say nothing.
const (
	// DefaultSeparator stands between key and value of a scope.
	DefaultSeparator = ":"
	// DefaultMaxDuration is how long a stream may last.
	DefaultMaxDuration = wire.MaxTimeout
	// DefaultMaxStreams is how many streams may be open at once.
	DefaultMaxStreams = 64
	// DefaultBuffer is how many bytes wait for slow viewers.
	DefaultBuffer = 1 << 20
	// DefaultWriteTimeout is how long a viewer may take for what is written to it at once.
	DefaultWriteTimeout = 10 * time.Second
	// DefaultHeartbeat is the longest silence on a stream.
	DefaultHeartbeat = wire.HeartbeatInterval
)

// Limits and times that are nobody's to set.
const (
	// minBuffer holds a few records at least.
	minBuffer = 4 << 10
	// maxChunk is about how much is written to a viewer at once.
	maxChunk = 32 << 10
	// restTime is how long a stream that has just written gathers before it writes again. A program that logs much
	// is then not kept busy with waking its viewers.
	restTime = 2 * time.Millisecond
	// keepScratch bounds the memory that the encoding of one record leaves behind for the next.
	keepScratch = 64 << 10
	// servingFactor is how many times as many requests as streams may be under way: a stream that is cut off is over,
	// but where the server knows no deadlines its last write may hang on.
	servingFactor = 2
	// retryAfter is when to come back if there are too many streams.
	retryAfter = 10 * time.Second
	// maxEcho bounds how much of a request an error repeats.
	maxEcho = 64
)

// Options say what the viewers see and what they may ask for. The zero value shows records without their metadata, from
// debug on, to everyone who can reach the handler.
type Options struct {
	// Metadata are the keys that are shown, in this order. With source, level and message they are the only ones that
	// a scope may name. Fields of groups are named with dots; a group's own key stands for all of it.
	Metadata []string
	// AllMetadata shows every key, and lets scopes name any; Metadata must be empty then.
	AllMetadata bool
	// Separator stands between the key and the value of a scope; empty is [DefaultSeparator].
	Separator string
	// DefaultLevel is the level of a stream that asks for none; nil is debug, or MinLevel if that is higher.
	DefaultLevel slog.Leveler
	// MinLevel is the lowest level that a stream may ask for; nil allows any.
	MinLevel slog.Leveler

	// HTML makes the page: head, events and foot; nil is a [format.HTML]. What it is given has the shown metadata only.
	// One that implements [Notices] also says gaps and ends in its own way.
	HTML format.Document
	// Text makes the events of the text format, each with its line end; nil is the pattern "$date $time
	// $metadata[$level] $message\n", in which no record can forge a line. It may implement [Notices] too.
	Text format.Formatter

	// AdditionalHeaders are sent with the usual headers of a stream; one that has a usual name replaces that.
	AdditionalHeaders http.Header
	// Headers, if not nil, replace the usual headers of a stream and AdditionalHeaders. Only Content-Type and
	// X-Content-Type-Options stay unless they are named, so that no browser takes a log for something else.
	Headers http.Header
	// BasicAuth, if not nil, is the user and password that a request must have.
	BasicAuth *BasicAuth
	// RequestFilter, if not nil, says whether a request may watch; message is told to the one who may not. It is asked
	// after BasicAuth, by many goroutines at once.
	RequestFilter func(r *http.Request) (allowed bool, message string)

	// MaxDuration is how long a stream may last; 0 is [DefaultMaxDuration].
	MaxDuration time.Duration
	// MaxStreams is how many streams may be open at once; 0 is [DefaultMaxStreams]. Behind a server without write
	// deadlines as many again that were cut off may still wait for their last write.
	MaxStreams int
	// Buffer is how many bytes wait for slow viewers; 0 is [DefaultBuffer]. Viewers who ask for the same share it. While
	// a write is under way there may be as many again.
	Buffer int
	// WriteTimeout is how long one write to a viewer may take, of some 32 KiB or of one record that is larger, before
	// the viewer is cut off; 0 is [DefaultWriteTimeout].
	WriteTimeout time.Duration
	// Heartbeat is the longest silence on a stream; 0 is [DefaultHeartbeat].
	Heartbeat time.Duration

	// History keeps records for ?since.
	History History
	// Lower are levels outside the handler that each stream lowers to its own while it is open.
	Lower []*Leaser
}

// History is an in-memory history of what was logged. The zero value is none.
type History struct {
	// Bytes is how much memory it may take, about; 0 is no history.
	Bytes int
	// Level is the lowest level that it keeps; nil is info. The handler's threshold is never above it, so that a low
	// one makes calls work that nobody watches.
	Level slog.Leveler
}

// Notices is implemented by an [Options.HTML] or [Options.Text] that itself shows what a stream has to say about
// itself, such as a gap.
type Notices interface {
	// AppendNotice appends the text, which is one plain line without markup, and returns the extended slice.
	AppendNotice(dst []byte, text string) []byte
}

// withDefaults fills in what o leaves open, and says what cannot be.
func (o Options) withDefaults() (Options, error) {
	o.Metadata, o.Lower = slices.Clone(o.Metadata), slices.Clone(o.Lower)
	o.AdditionalHeaders, o.Headers = o.AdditionalHeaders.Clone(), o.Headers.Clone()
	if o.Separator == "" {
		o.Separator = DefaultSeparator
	}
	if o.HTML == nil {
		o.HTML = &format.HTML{AllKeys: true}
	}
	if o.History.Level == nil {
		o.History.Level = slog.LevelInfo
	}
	err := errors.Join(o.checkKeys(), o.checkAccess(), o.checkLevels(),
		limit("MaxDuration", &o.MaxDuration, DefaultMaxDuration, 1),
		limit("MaxStreams", &o.MaxStreams, DefaultMaxStreams, 1),
		limit("Buffer", &o.Buffer, DefaultBuffer, minBuffer),
		limit("WriteTimeout", &o.WriteTimeout, DefaultWriteTimeout, 1),
		limit("Heartbeat", &o.Heartbeat, DefaultHeartbeat, 1),
		limit("History.Bytes", &o.History.Bytes, 0, 0),
	)
	return o, err
}

// limit puts the default into a limit that is 0, and refuses one that is too small.
func limit[T int | time.Duration](name string, value *T, standard, least T) error {
	if *value == 0 {
		*value = standard
	}
	if *value < least {
		return fmt.Errorf("check %s: must be %v or more, is %v", name, least, *value)
	}
	return nil
}

// checkKeys says what is wrong with the metadata.
func (o *Options) checkKeys() error {
	if o.AllMetadata && len(o.Metadata) > 0 {
		return errors.New("check Metadata: must be empty where AllMetadata is set")
	}
	for i, key := range o.Metadata {
		switch {
		case key == "":
			return fmt.Errorf("check Metadata: key %d is empty", i+1)
		case slices.Contains(o.Metadata[:i], key):
			return fmt.Errorf("check Metadata: %q is there twice", key)
		case strings.Contains(key, o.Separator):
			return fmt.Errorf("check Metadata: no scope could name %q, because it holds the separator %q: set Separator",
				key, o.Separator)
		}
	}
	return nil
}

// checkAccess says what is wrong with those who are let in.
func (o *Options) checkAccess() error {
	if slices.Contains(o.Lower, nil) {
		return errors.New("check Lower: a leaser is nil")
	}
	if o.BasicAuth == nil {
		return nil
	}
	return o.BasicAuth.check()
}

// checkLevels says what is wrong with the levels, as far as they are now.
func (o *Options) checkLevels() error {
	if o.DefaultLevel != nil && o.DefaultLevel.Level() < o.floor() {
		return fmt.Errorf("check DefaultLevel: %v is below MinLevel %v", o.DefaultLevel.Level(), o.floor())
	}
	return nil
}

// floor is the lowest level that a stream may ask for.
func (o *Options) floor() slog.Level {
	if o.MinLevel == nil {
		return math.MinInt
	}
	return o.MinLevel.Level()
}

// standardLevel is the level of a stream that asks for none.
func (o *Options) standardLevel() slog.Level {
	if o.DefaultLevel == nil {
		return max(slog.LevelDebug, o.floor())
	}
	return o.DefaultLevel.Level()
}
