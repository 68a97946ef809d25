package otlp

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// What the zero values of [Options] stand for.
const (
	DefaultName       = "otlp"
	DefaultEndpoint   = "http://localhost:4318/v1/logs"
	DefaultScope      = "github.com/spilelog/spile"
	DefaultBatchSize  = 512
	DefaultEvery      = 5 * time.Second
	DefaultTimeout    = 30 * time.Second
	DefaultQueueSize  = 2048
	DefaultQueueBytes = 8 << 20
	DefaultRetryFor   = time.Minute
)

const (
	// logsPath is the path of an endpoint that names none.
	logsPath = "/v1/logs"
	// serviceName is the attribute that tells one program's records from another's.
	serviceName = "service.name"
)

// Options say where records go and how. The zero value sends to a collector on this machine. The environment variables
// of the OpenTelemetry SDKs are not read: a program that wants them passes their values.
type Options struct {
	spile.BaseOptions
	// Name is the name of the backend.
	Name string
	// Endpoint is the URL that takes logs. One without a path gets /v1/logs; any other is taken as it is.
	Endpoint string
	// Headers go with each request, for example Authorization. They are never part of an error.
	Headers http.Header
	// Client sends the requests; nil is a client of the backend's own. Its transport must not log to this backend.
	Client *http.Client
	// Compress sends the bodies by gzip.
	Compress bool
	// Resource describes the program, once per batch. Without a service.name it gets the name of the program's file.
	Resource event.Metadata
	// Scope is the name of the instrumentation scope.
	Scope string
	// BatchSize is how many records a batch has at most.
	BatchSize int
	// Every is how old the first record of a batch becomes at most before it is sent.
	Every time.Duration
	// Timeout is how long one request may take.
	Timeout time.Duration
	// QueueSize and QueueBytes are how many records, and how many bytes of encoded records, wait at most, those
	// included that are being sent.
	QueueSize  int
	QueueBytes int
	// RetryFor is for how long a batch is tried again after its first attempt, and how long Close waits at most.
	RetryFor time.Duration
	// OnLoss is told of records that were lost after Log took them, with their number and the reason, in the goroutine
	// that sends. A number of 0 is a warning of the collector about records that it took. OnLoss may log to other
	// backends; it must not call Flush or Close. A panic of it is not told.
	OnLoss func(records int, err error)
}

// check puts in the defaults, and says what cannot be.
func (o *Options) check() error {
	orDefault(&o.Name, DefaultName)
	orDefault(&o.Endpoint, DefaultEndpoint)
	orDefault(&o.Scope, DefaultScope)
	if err := o.checkEndpoint(); err != nil {
		return err
	}
	for _, n := range []struct {
		name  string
		value *int
		or    int
	}{
		{"BatchSize", &o.BatchSize, DefaultBatchSize},
		{"QueueSize", &o.QueueSize, DefaultQueueSize},
		{"QueueBytes", &o.QueueBytes, DefaultQueueBytes},
	} {
		if orDefault(n.value, n.or); *n.value < 0 {
			return fmt.Errorf("option %s is %d: must not be negative, 0 is %d", n.name, *n.value, n.or)
		}
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"Every", &o.Every, DefaultEvery},
		{"Timeout", &o.Timeout, DefaultTimeout},
		{"RetryFor", &o.RetryFor, DefaultRetryFor},
	} {
		if orDefault(d.value, d.or); *d.value < 0 {
			return fmt.Errorf("option %s is %v: must not be negative, 0 is %v", d.name, *d.value, d.or)
		}
	}
	o.Headers = o.Headers.Clone()
	if _, ok := o.Resource.Get(serviceName); !ok {
		name := event.Field{Key: serviceName, Value: event.String(filepath.Base(os.Args[0]))}
		o.Resource = append(event.Metadata{name}, o.Resource...)
	}
	return nil
}

// checkEndpoint gives the endpoint a path if it has none.
func (o *Options) checkEndpoint() error {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return fmt.Errorf("option Endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("option Endpoint is %q: must be an http or https URL such as %s", u.Redacted(), DefaultEndpoint)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = logsPath
	}
	o.Endpoint = u.String()
	return nil
}

// orDefault puts a default in place of a zero value.
func orDefault[T comparable](value *T, or T) {
	var zero T
	if *value == zero {
		*value = or
	}
}
