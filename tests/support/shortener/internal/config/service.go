package config

import (
	"net/url"
	"time"
)

// Service has the settings of the shortener.
type Service struct {
	SafetyURL   url.URL
	AdminToken  Secret
	ExpireEvery time.Duration
}

func (s *Service) variables() []variable {
	return []variable{
		{"SAFETY_URL", required, "service that knows unsafe links", address(&s.SafetyURL)},
		{"ADMIN_TOKEN", required, "what a client has to send to delete links", secret(&s.AdminToken)},
		{"EXPIRE_EVERY", "1s", "how often expired links are deleted", duration(&s.ExpireEvery, time.Millisecond)},
	}
}

// ForTests has the variables that tests set.
func ForTests() map[string]string {
	return map[string]string{"SAFETY_URL": "http://127.0.0.1:1", "ADMIN_TOKEN": "for tests"}
}
