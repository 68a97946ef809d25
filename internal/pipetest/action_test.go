package pipetest

// The actions on files and viewers: each notes first what the agent has open, then acts, then tells what it did.

func (m *model) half(l *logFile) {
	m.disk.writeHalf(l)
	m.did("half to %s", l.name)
}

func (m *model) rotate(l *logFile, stale bool) {
	m.note()
	m.disk.rotate(l, stale)
	m.did("rotate %s %v", l.name, stale)
}

func (m *model) copyTruncate(l *logFile) {
	m.note()
	m.disk.copyTruncate(l)
	m.did("copytruncate %s", l.name)
}

func (m *model) truncate(l *logFile) {
	m.note()
	m.disk.truncate(l)
	m.did("truncate %s", l.name)
}

func (m *model) remove(l *logFile, stale bool) {
	m.note()
	m.disk.remove(l, stale)
	m.did("remove %s %v", l.name, stale)
}

func (m *model) expire(l *logFile) {
	m.note()
	m.disk.expire(l)
	m.did("expire %s", l.name)
}

func (m *model) reopen(l *logFile) {
	m.disk.reopen(l)
	m.did("reopen %s", l.name)
}

func (m *model) deny(l *logFile) {
	m.disk.deny(l)
	m.did("chmod %s", l.name)
}

func (m *model) flip() {
	m.note()
	m.disk.flip(m.disk.files[2])
	m.did("flip")
}

func (m *model) cutViewer(v *viewer, stay bool) {
	v.road.cut(stay)
	m.did("cut %s %v", v.name, stay)
}

func (m *model) slow(v *viewer, slow bool) {
	v.setSlow(slow)
	m.did("slow %s %v", v.name, slow)
}
