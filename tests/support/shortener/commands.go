package main

import (
	"context"
	"fmt"
	"io"

	"github.com/acme/my-service/internal/api"
)

// commands has what "bin/service NAME" does apart from serving.
func commands() map[string]command {
	return map[string]command{"where": where}
}

// where prints the service that knows unsafe links.
func where(_ context.Context, platform api.Platform, stdout io.Writer, _ []string) error {
	_, err := fmt.Fprintln(stdout, platform.Config.Service.SafetyURL.Host)
	return err
}
