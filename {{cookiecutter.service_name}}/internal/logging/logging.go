// Package logging makes the service's logger.
package logging

import (
	"context"
	"io"
	"log/slog"
)

// FromContext finds an attribute in a context, such as the id of the request. It returns false if there is none.
type FromContext func(context.Context) (slog.Attr, bool)

// New returns a logger that writes one line to w for each record, as JSON or text. The line also has the attributes that
// are found in the record's context.
func New(w io.Writer, level slog.Level, format string, found ...FromContext) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "text" {
		return slog.New(withContext{slog.NewTextHandler(w, options), found})
	}
	return slog.New(withContext{slog.NewJSONHandler(w, options), found})
}

type withContext struct {
	slog.Handler
	found []FromContext
}

func (h withContext) Handle(ctx context.Context, record slog.Record) error {
	for _, find := range h.found {
		if attr, ok := find(ctx); ok {
			record.AddAttrs(attr)
		}
	}
	return h.Handler.Handle(ctx, record)
}

func (h withContext) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withContext{h.Handler.WithAttrs(attrs), h.found}
}

func (h withContext) WithGroup(name string) slog.Handler {
	return withContext{h.Handler.WithGroup(name), h.found}
}
