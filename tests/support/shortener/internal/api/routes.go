package api

import "time"

// routes has every route of this service, a line each.
func (s *Service) routes(r *Router) {
	r.Handle("POST /v1/links", s.createLink)
	r.Handle("GET /v1/links", s.listLinks)
	r.Handle("GET /v1/links/{code}", s.getLink)
	r.Handle("GET /v1/events", s.events, Stream())

	admin := r.With(s.requireToken)
	admin.Handle("DELETE /v1/links/{code}", s.deleteLink)
	admin.Handle("POST /v1/import", s.importLinks, MaxBody(20<<20), Timeout(2*time.Minute))
}
