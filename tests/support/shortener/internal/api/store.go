package api

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// link is a short name for a URL.
type link struct {
	Code    string    `json:"code"`
	Target  string    `json:"target"`
	Expires time.Time `json:"expires,omitzero"`
}

// store keeps the links in memory, and tells watchers of changes.
type store struct {
	mu       sync.Mutex
	links    map[string]link
	watchers map[chan string]bool
}

func newStore() *store {
	return &store{links: map[string]link{}, watchers: map[chan string]bool{}}
}

func (s *store) add(added link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.links[added.Code]; there {
		return fmt.Errorf("link %q: %w", added.Code, ErrConflict)
	}
	s.links[added.Code] = added
	s.tell("added " + added.Code)
	return nil
}

func (s *store) get(code string) (link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, there := s.links[code]
	if !there {
		return link{}, fmt.Errorf("link %q: %w", code, ErrNotFound)
	}
	return found, nil
}

func (s *store) remove(code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.links[code]; !there {
		return fmt.Errorf("link %q: %w", code, ErrNotFound)
	}
	delete(s.links, code)
	s.tell("removed " + code)
	return nil
}

// page returns at most limit links after a code, and whether there are more.
func (s *store) page(after string, limit int) (page []link, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	codes := slices.Sorted(maps.Keys(s.links))
	begin, found := slices.BinarySearch(codes, after)
	if found {
		begin++
	}
	end := min(begin+limit, len(codes))
	for _, code := range codes[begin:end] {
		page = append(page, s.links[code])
	}
	return page, end < len(codes)
}

func (s *store) expire(now time.Time) (expired int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for code, old := range s.links {
		if !old.Expires.IsZero() && old.Expires.Before(now) {
			delete(s.links, code)
			s.tell("expired " + code)
			expired++
		}
	}
	return expired
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.links)
}

// watch returns a channel of changes, and a function that ends it. A watcher that is slow misses changes.
func (s *store) watch() (changes chan string, stop func()) {
	changes = make(chan string, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[changes] = true
	return changes, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, changes)
	}
}

func (s *store) tell(change string) {
	for watcher := range s.watchers {
		select {
		case watcher <- change:
		default:
		}
	}
}
