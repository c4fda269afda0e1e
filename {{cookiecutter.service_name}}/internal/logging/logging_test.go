package logging

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"{{ cookiecutter.module_path }}/internal/requestid"
)

func TestLinesOfARequestHaveItsID(t *testing.T) {
	t.Parallel()
	id := "abc"
	ctx := context.WithValue(t.Context(), requestid.Key{}, &id)
	for format, want := range map[string]string{"json": `"request_id":"abc"`, "text": "request_id=abc"} {
		var out strings.Builder
		logger := New(&out, slog.LevelInfo, format, requestid.Attr)
		logger.With("component", "orders").WithGroup("").InfoContext(ctx, "in a request")
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s line is %q, want it to contain %q", format, out.String(), want)
		}

		out.Reset()
		logger.Info("outside of a request")
		if strings.Contains(out.String(), "request_id") {
			t.Errorf("%s line is %q, want no request id", format, out.String())
		}
	}
}

func TestLevelIsRespected(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	New(&out, slog.LevelWarn, "json").Info("below the level")
	if out.Len() > 0 {
		t.Errorf("an info line is logged at level warn: %q", out.String())
	}
}

func TestLogValuesCannotForgeALine(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		var out strings.Builder
		New(&out, slog.LevelInfo, format).Info("request", "path", "/\n{\"level\":\"ERROR\"}\r\n\x1b[2J")
		if got := strings.Count(out.String(), "\n"); got != 1 || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s: %d lines, want 1 without control characters: %q", format, got, out.String())
		}
	}
}
