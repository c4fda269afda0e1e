// Package requestid gives each request an id, which is in its response and in its log lines.
package requestid

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"strings"
)

// Header is the name of the header with the id. A client or proxy may send it, and every response has it.
const Header = "X-Request-Id"

const allowedCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// Key is the context key of a request's id, a *string.
type Key struct{}

// From returns the id of the request that ctx belongs to, or "" if ctx belongs to none.
func From(ctx context.Context) string {
	if id, ok := ctx.Value(Key{}).(*string); ok {
		return *id
	}
	return ""
}

// Attr returns the id of the request that ctx belongs to, for its log lines.
func Attr(ctx context.Context) (slog.Attr, bool) {
	id := From(ctx)
	return slog.String("request_id", id), id != ""
}

// Choose returns the id that the client sent if it is safe in logs and headers, otherwise a new one.
func Choose(sent string) string {
	if sent == "" || len(sent) > 128 || strings.Trim(sent, allowedCharacters) != "" {
		return generate()
	}
	return sent
}

// generate returns 128 random bits in hex. An id is not a secret, so a fast generator is good enough.
func generate() string {
	var bits [16]byte
	binary.NativeEndian.PutUint64(bits[:8], rand.Uint64()) //nolint:gosec // see above
	binary.NativeEndian.PutUint64(bits[8:], rand.Uint64()) //nolint:gosec // see above
	return hex.EncodeToString(bits[:])
}
