package api

// routes has every route of this service, a line each. This file is yours.
func (s *Service) routes(r *Router) {
	r.Handle("POST /v1/greetings", s.greet)
}
