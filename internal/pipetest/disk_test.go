package pipetest

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

// place is one life of one file: from its creation or truncation to its truncation or removal.
type place struct {
	id   int
	path string // where its bytes are, empty when only open files have them
	// held is the agent's life in which it was read, so that this life has it open; 0 for none.
	held int
	// copied says that its bytes are in a copy alone, which the agent need not have open before it is removed.
	copied bool
	// lost says that bytes were destroyed that may not have been read.
	lost bool
	// blank says that the agent may have known the place without a byte of it when it died: nothing tells it then from
	// another under another name.
	blank bool
	// vague says that the place was rotated unseen when it was blank or came after one that was removed: an agent that
	// was dead meanwhile cannot tell it from older siblings, and says that something may be lost.
	vague bool
}

// unit is a run of bytes between two line ends of one place: what is read as one line.
type unit struct {
	text    string
	place   *place
	order   int // of writing
	session int // the session in which it was written
	keep    bool
	// open says that no line end follows: it may be read as the last line of its place, or never.
	open bool
}

// size is what the unit takes in its file.
func (u *unit) size() int {
	if u.open {
		return len(u.text)
	}
	return len(u.text) + 1
}

// logFile is one name that the agent follows, and the program that writes to it.
type logFile struct {
	name    string
	link    bool
	flips   int
	named   *place   // what the name leads to, nil where nothing
	rotated []*place // the siblings, the newest first
	writer  *os.File // nil where the program has not opened it
	into    *place   // what writer writes to
	orphan  bool     // what the name led to before was removed
	half    *unit    // the line that is half written, nil where none
	rest    string   // of it
}

// disk writes the files and knows what became of every line.
type disk struct {
	t       fataler
	dir     string
	files   []*logFile
	byText  map[string]*unit
	units   []*unit
	places  []*place
	session int
	life    int  // the agent's present life, 0 while it is dead
	deaths  int  // of the agent in this session
	denied  bool // rights were taken away at some time
	cut     bool // a file was truncated at some time
}

// newDisk makes a disk with two files and a link.
func newDisk(t fataler, dir string) *disk {
	d := &disk{t: t, dir: dir, byText: map[string]*unit{}}
	d.files = []*logFile{{name: "app.log"}, {name: "web.log"}, {name: "cur.log", link: true}}
	return d
}

// path is where name lies.
func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// must ends the test on an error of the file system.
func (d *disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("file system: %v", err)
	}
}

// line is the text of a new line. It says which it is at both ends, so that no half can be taken for another, and
// carries a sum.
func (d *disk) line(p *place, keep bool, pad int) string {
	word := "skip"
	if keep {
		word = "keep"
	}
	n := len(d.units)
	body := fmt.Sprintf("line %06d of place %d: %s %s", n, p.id, word, strings.Repeat("x", pad))
	return fmt.Sprintf("%s sum %08x end %06d", body, crc32.ChecksumIEEE([]byte(body)), n)
}

// add remembers a unit.
func (d *disk) add(u *unit) *unit {
	u.order, u.session = len(d.units), d.session
	d.units = append(d.units, u)
	d.byText[u.text] = u
	return u
}

// newPlace begins a place.
func (d *disk) newPlace(path string) *place {
	p := &place{id: len(d.places) + 1, path: path}
	d.places = append(d.places, p)
	return p
}

// reopen lets the program open its file by name, as after a rotation. It says whether it could.
func (d *disk) reopen(l *logFile) bool {
	if l.writer != nil && l.into == l.named {
		return true
	}
	if l.link && l.named == nil {
		d.flip(l)
		return true
	}
	f, err := os.OpenFile(d.path(l.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if os.IsPermission(err) {
		return false
	}
	d.must(err)
	d.leave(l)
	if l.named == nil {
		l.named = d.newPlace(d.path(l.name))
	}
	l.writer, l.into = f, l.named
	return true
}

// leave lets the program close its file; what it had half written stays so.
func (d *disk) leave(l *logFile) {
	if l.writer != nil {
		_ = l.writer.Close()
	}
	l.writer, l.into, l.half = nil, nil, nil
}

// write writes whole lines in one write. A line that was half written is finished first.
func (d *disk) write(l *logFile, count, pad int, keep func(int) bool) {
	if l.writer == nil && !d.reopen(l) {
		return
	}
	var b strings.Builder
	if l.half != nil {
		d.finish(l)
		b.WriteString(l.rest + "\n")
		l.half = nil
	}
	for i := range count {
		k := keep == nil || keep(i)
		u := d.add(&unit{place: l.into, keep: k, text: d.line(l.into, k, pad)})
		b.WriteString(u.text + "\n")
	}
	_, err := l.writer.WriteString(b.String())
	d.must(err)
}

// finish makes the half line a whole one, or its rest a line of its own where the beginning is no longer before it.
func (d *disk) finish(l *logFile) {
	if l.half.place != l.into {
		d.add(&unit{place: l.into, text: l.rest, keep: strings.Contains(l.rest, "keep")})
		return
	}
	delete(d.byText, l.half.text)
	l.half.text += l.rest
	l.half.open, l.half.session = false, d.session
	d.byText[l.half.text] = l.half
}

// writeHalf writes the beginning of a line.
func (d *disk) writeHalf(l *logFile) {
	if l.half != nil || l.writer == nil && !d.reopen(l) {
		return
	}
	text := d.line(l.into, true, 10)
	cut := len(text) / 2
	l.half, l.rest = d.add(&unit{place: l.into, keep: true, text: text[:cut], open: true}), text[cut:]
	_, err := l.writer.WriteString(l.half.text)
	d.must(err)
}

// shift gives each sibling the next number.
func (d *disk) shift(l *logFile) {
	for i := len(l.rotated) - 1; i >= 0; i-- {
		to := d.path(fmt.Sprintf("%s.%d", l.name, i+2))
		d.must(os.Rename(d.path(fmt.Sprintf("%s.%d", l.name, i+1)), to))
		l.rotated[i].path = to
	}
}

// rotate renames the file. With stale the program writes on to the renamed one until it is told to reopen.
func (d *disk) rotate(l *logFile, stale bool) {
	if l.link || l.named == nil {
		return
	}
	d.shift(l)
	to := d.path(l.name + ".1")
	d.must(os.Rename(d.path(l.name), to))
	l.named.path = to
	d.passOn(l, l.named)
	l.rotated = append([]*place{l.named}, l.rotated...)
	l.named = nil
	if !stale {
		d.leave(l)
	}
}

// copyTruncate copies the file and cuts it.
func (d *disk) copyTruncate(l *logFile) {
	if l.link || l.named == nil {
		return
	}
	data, err := os.ReadFile(d.path(l.name))
	if os.IsPermission(err) || len(data) == 0 {
		return
	}
	d.must(err)
	d.shift(l)
	old := l.named
	old.path, old.copied = d.path(l.name+".1"), true
	d.must(os.WriteFile(old.path, data, 0o644))
	l.rotated = append([]*place{old}, l.rotated...)
	d.empty(l)
}

// truncate cuts the file: what was not read of it is gone.
func (d *disk) truncate(l *logFile) {
	if l.named == nil {
		return
	}
	if info, err := os.Stat(l.named.path); err != nil || info.Size() == 0 {
		return
	}
	if err := os.Chmod(l.named.path, 0o644); err != nil {
		d.must(err)
	}
	old := l.named
	old.lost = true
	d.empty(l)
	old.path = "" // its bytes are nowhere: who never saw them cannot announce them
}

// empty cuts the file that the name leads to, which begins a place.
func (d *disk) empty(l *logFile) {
	old := l.named
	d.passOn(l, old)
	path := d.path(l.name)
	d.cut = true
	d.must(os.Truncate(path, 0))
	if l.link {
		path = old.path
	}
	l.named = d.newPlace(path)
	if l.into == old {
		l.into = l.named
	}
}

// remove deletes the file. What the agent has open it still reads, unless it dies.
func (d *disk) remove(l *logFile, stale bool) {
	if l.link || l.named == nil {
		return
	}
	d.must(os.Remove(d.path(l.name)))
	p := l.named
	l.named = nil
	d.unname(p)
	d.bereave(l)
	if !stale {
		d.leave(l)
	}
}

// passOn notes that the name leads elsewhere from now on than to p.
func (d *disk) passOn(l *logFile, p *place) {
	p.vague = (l.orphan || p.blank) && p.held == 0
	p.lost = p.lost || p.vague && d.deaths > 0
	l.orphan = p.vague
}

// expire deletes the oldest sibling, as a rotation with a limit does.
func (d *disk) expire(l *logFile) {
	if len(l.rotated) == 0 {
		return
	}
	last := len(l.rotated) - 1
	d.must(os.Remove(l.rotated[last].path))
	d.unname(l.rotated[last])
	l.rotated = l.rotated[:last]
	d.bereave(l)
}

// bereave notes that a place of the file was removed: those that came after it and that nobody saw have nothing that
// tells them from older siblings, once the agent has died.
func (d *disk) bereave(l *logFile) {
	l.orphan = true
	for _, p := range l.rotated {
		if p.held == 0 {
			p.vague = true
			p.lost = p.lost || d.deaths > 0
		}
	}
}

// unname notes that a place has no name any more.
func (d *disk) unname(p *place) {
	p.path = ""
	p.lost = p.lost || d.life == 0 || p.held != d.life || p.copied
}

// flip makes the link lead to a new file; the program follows.
func (d *disk) flip(l *logFile) {
	l.flips++
	target := fmt.Sprintf("cur-target-%c", 'a'+l.flips%20)
	f, err := os.OpenFile(d.path(target), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if os.IsExist(err) {
		return
	}
	d.must(err)
	d.must(os.Symlink(target, d.path("cur.next")))
	d.must(os.Rename(d.path("cur.next"), d.path(l.name)))
	if l.named != nil {
		// Nothing tells that the former target belongs to the link.
		d.unname(l.named)
	}
	d.leave(l)
	l.named = d.newPlace(d.path(target))
	l.writer, l.into = f, l.named
}

// deny takes the rights to read the file away, or gives them back.
func (d *disk) deny(l *logFile) {
	if l.link || l.named == nil {
		return
	}
	info, err := os.Stat(d.path(l.name))
	d.must(err)
	mode := os.FileMode(0)
	if info.Mode().Perm() == 0 {
		mode = 0o644
	}
	d.denied = true
	d.must(os.Chmod(d.path(l.name), mode))
}

// allow gives all rights back.
func (d *disk) allow() {
	entries, err := os.ReadDir(d.dir)
	d.must(err)
	for _, e := range entries {
		if e.Type().IsRegular() {
			d.must(os.Chmod(d.path(e.Name()), 0o644))
		}
	}
}

// agentDied notes that the agent's open files are closed.
func (d *disk) agentDied() {
	d.life = 0
	d.deaths++
	for _, p := range d.places {
		p.blank = p.held == 0
		if p.path == "" || p.vague && p.held == 0 {
			p.lost = true
		}
	}
}

// whole ends every line that is half written.
func (d *disk) whole() {
	for _, l := range d.files {
		if l.half != nil && l.writer != nil {
			d.write(l, 0, 0, nil)
		}
	}
}

// close lets every program end.
func (d *disk) close() {
	for _, l := range d.files {
		d.leave(l)
	}
}

// rest leaves every file so that a session can begin: lines are whole, and programs write where the names lead.
func (d *disk) rest() {
	d.whole()
	for _, l := range d.files {
		if l.into != l.named {
			d.leave(l)
		}
	}
}
