package backendtest

import (
	"bytes"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/spilelog/spile/event"
)

// The keys of a sample and the texts of their values.
const (
	keyText  = "text"
	keyGroup = "group"
	keyInner = "inner"
	keyLazy  = "lazy"

	valueText  = "some text"
	valueInner = "inner text"
	valueLazy  = "lazy text"

	// overwritten is what stands in an event after its time.
	overwritten = "overwritten"
	// spare is the key of a field behind the end of the metadata, in the memory of it.
	spare = "spare"
)

// sample is an event whose memory the kit overwrites after the call, as that of a line or of a pool may be.
type sample struct {
	event event.Event
	group *event.Metadata
	lazy  *lazy
	// bytes is the memory of all texts.
	bytes [][]byte
	// before is the event in JSON, to compare with.
	before []byte
}

// lazy is a value that knows when it is looked at too late.
type lazy struct {
	over, late atomic.Bool
}

// Resolve gives the value.
func (l *lazy) Resolve() event.Value {
	if l.over.Load() {
		l.late.Store(true)
	}
	return event.String(valueLazy)
}

// newSample is an event with this message and values of many kinds.
func newSample(message string) *sample {
	s := &sample{lazy: &lazy{}}
	s.group = &event.Metadata{{Key: keyInner, Value: event.String(s.text(valueInner))}}
	fields := event.Metadata{
		{Key: keyText, Value: event.String(s.text(valueText))},
		{Key: "count", Value: event.Int(7)},
		{Key: keyGroup, Value: event.Group(s.group)},
		{Key: keyLazy, Value: event.Lazy(s.lazy)},
		{Key: spare},
	}
	s.event = event.Event{
		Time:     time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC),
		Level:    event.Info,
		Source:   s.text("backendtest.Sample"),
		Message:  s.text(message),
		Metadata: fields[:len(fields)-1],
	}
	s.before = s.print()
	return s
}

// text is a copy of v in memory that is overwritten later.
func (s *sample) text(v string) string {
	b := []byte(v)
	s.bytes = append(s.bytes, b)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// print is the event and what stands behind the end of its metadata.
func (s *sample) print() []byte {
	full := s.event
	full.Metadata = full.Metadata[:cap(full.Metadata)]
	return event.AppendMembers(nil, &full)
}

// changed says whether the event is another than it was.
func (s *sample) changed() bool {
	want := 4 // The fields of newSample.
	return len(s.event.Metadata) != want || s.event.PC != 0 || s.event.Level != event.Info ||
		!bytes.Equal(s.print(), s.before)
}

// overwrite ends the time of the event.
func (s *sample) overwrite() {
	s.lazy.over.Store(true)
	for _, list := range []event.Metadata{s.event.Metadata, *s.group} {
		for i := range list {
			list[i] = event.Field{Key: overwritten, Value: event.String(overwritten)}
		}
	}
	s.event.Reset()
	s.event.Message = overwritten
	for _, b := range s.bytes {
		for i := range b {
			b[i] = '#'
		}
	}
}
