package agent

// shares is how what a session sent of late is divided among the places it comes from, so that in live mode, where
// somebody's lines must be dropped, it is not the few lines of a quiet file that a flood in another one crowds out.
type shares struct {
	total  int
	places []*place // those that had something of late
	fresh  bool     // something was sent since fading
}

// took counts n bytes that were sent for a place.
func (s *shares) took(p *place, n int) {
	if p.took == 0 {
		s.places = append(s.places, p)
	}
	p.took += n
	s.total += n
	s.fresh = true
}

// little says whether a place had less than half of what would be its share.
func (s *shares) little(p *place) bool {
	parts := len(s.places)
	if p.took == 0 {
		parts++
	}
	return 2*p.took*parts < s.total
}

// fade lets what was sent count half from now on. While nothing is sent it stays as it is.
func (s *shares) fade() {
	if !s.fresh {
		return
	}
	s.fresh = false
	kept := s.places[:0]
	s.total = 0
	for _, p := range s.places {
		if p.took /= 2; p.took > 0 {
			kept = append(kept, p)
			s.total += p.took
		}
	}
	clear(s.places[len(kept):])
	s.places = kept
}
