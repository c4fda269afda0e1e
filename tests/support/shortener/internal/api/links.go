package api

import (
	"bufio"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/acme/my-service/internal/problem"
)

var errUnsafe = InvalidError{{Pointer: "#/target", Detail: "is known as unsafe"}}

type newLink struct {
	Code      string        `json:"code"`
	Target    string        `json:"target"`
	ExpiresIn time.Duration `json:"expires_in,omitzero"`
}

// Validate has an entry for each field with a bad value.
func (n newLink) Validate() (fields []problem.Field) {
	if len(n.Code) < 2 || len(n.Code) > 40 || strings.Trim(n.Code, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		fields = append(fields, problem.Field{Pointer: "#/code", Detail: "has to be 2 to 40 lower-case letters, digits or hyphens"})
	}
	if target, err := url.Parse(n.Target); err != nil || target.Host == "" {
		fields = append(fields, problem.Field{Pointer: "#/target", Detail: "has to be an absolute URL"})
	}
	return fields
}

// createLink answers POST /v1/links.
func (s *Service) createLink(w http.ResponseWriter, r *http.Request) {
	request, ok := decode[newLink](w, r)
	if !ok {
		return
	}
	if err := s.askSafety(r.Context(), "check", request.Target); err != nil {
		fail(w, r, err)
		return
	}
	created := link{Code: request.Code, Target: request.Target}
	if request.ExpiresIn > 0 {
		created.Expires = time.Now().Add(request.ExpiresIn)
	}
	if err := s.links.add(created); err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", "/v1/links/"+created.Code)
	respond(w, http.StatusCreated, created)
}

// getLink answers GET /v1/links/{code}.
func (s *Service) getLink(w http.ResponseWriter, r *http.Request) {
	found, err := s.links.get(r.PathValue("code"))
	if err != nil {
		fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, found)
}

// deleteLink answers DELETE /v1/links/{code}.
func (s *Service) deleteLink(w http.ResponseWriter, r *http.Request) {
	if err := s.links.remove(r.PathValue("code")); err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// listLinks answers GET /v1/links, a page at a time. The cursor is the last code of the page before.
func (s *Service) listLinks(w http.ResponseWriter, r *http.Request) {
	type list struct {
		Links []link `json:"links"`
		Next  string `json:"next,omitzero"`
	}
	p := parametersOf(r)
	limit := p.number("limit", 20, 1, 100)
	if err := p.err(); err != nil {
		fail(w, r, err)
		return
	}
	page, more := s.links.page(r.URL.Query().Get("cursor"), limit)
	answer := list{Links: page}
	if more {
		answer.Next = page[len(page)-1].Code
	}
	respond(w, http.StatusOK, answer)
}

// importLinks answers POST /v1/import with the number of links that were added: a code and a URL in each line.
func (s *Service) importLinks(w http.ResponseWriter, r *http.Request) {
	added := 0
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		code, target, _ := strings.Cut(lines.Text(), " ")
		if s.links.add(link{Code: code, Target: target}) == nil {
			added++
		}
	}
	if err := lines.Err(); err != nil {
		fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, map[string]int{"added": added})
}

// events answers GET /v1/events with server-sent events, until the client leaves or the service stops.
func (s *Service) events(w http.ResponseWriter, r *http.Request) {
	changes, stop := s.links.watch()
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	for {
		_ = control.Flush()
		select {
		case change := <-changes:
			_, _ = fmt.Fprintf(w, "data: %s\n\n", change)
		case <-r.Context().Done():
			_, _ = fmt.Fprint(w, "event: bye\ndata:\n\n")
			return
		}
	}
}

// requireToken lets clients with the token of the administrators through.
func (s *Service) requireToken(next http.Handler) http.Handler {
	wanted := []byte("Bearer " + s.Config.Service.AdminToken.Reveal())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), wanted) == 0 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem.Refuse(w, r, http.StatusUnauthorized, "This needs the token of an administrator.")
			return
		}
		next.ServeHTTP(w, r)
	})
}
