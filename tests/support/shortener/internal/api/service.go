// Package api is a URL shortener.
package api

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Service is the shortener: its links, and the service that knows unsafe ones.
type Service struct {
	Platform

	links  *store
	client *http.Client
}

// New opens the shortener.
func New(_ context.Context, platform Platform) (*Service, error) {
	return &Service{Platform: platform, links: newStore(), client: new(http.Client)}, nil
}

// Ready returns an error while the other service does not respond.
func (s *Service) Ready(ctx context.Context) error {
	return s.askSafety(ctx, "livez", "")
}

// Run deletes expired links.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.Config.Service.ExpireEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-ticker.C:
			if expired := s.links.expire(now); expired > 0 {
				s.Logger.Info("links expired", "count", expired)
			}
		}
	}
}

// Close closes the connections to the other service.
func (s *Service) Close(context.Context) error {
	s.client.CloseIdleConnections()
	s.Logger.Info("shortener closed", "links", s.links.size())
	return nil
}

// askSafety asks the other service. Only its refusal is an [InvalidError].
func (s *Service) askSafety(ctx context.Context, path, target string) error {
	address := s.Config.Service.SafetyURL.JoinPath(path)
	query := address.Query()
	query.Set("url", target)
	address.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return err
	}
	answer, err := s.client.Do(r)
	if ctx.Err() != nil {
		return fmt.Errorf("ask safety: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusForbidden {
		return errUnsafe
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: safety responded with %s", ErrUnavailable, answer.Status)
	}
	return nil
}
