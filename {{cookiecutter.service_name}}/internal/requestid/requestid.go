// Package requestid names requests, so that an answer and its log lines can be found by each other.
package requestid

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// Header carries the id: in from a proxy that already gave one, out on every answer.
const Header = "X-Request-Id"

const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// Key is where a request's context holds its id, as a *string.
type Key struct{}

// From returns the id of the request that ctx belongs to, or "" outside of a request.
func From(ctx context.Context) string {
	if id, ok := ctx.Value(Key{}).(*string); ok {
		return *id
	}
	return ""
}

// Choose returns the client's id if it is harmless in a log and a header, and a new one otherwise.
func Choose(sent string) string {
	if sent == "" || len(sent) > 128 || strings.Trim(sent, characters) != "" {
		return generate()
	}
	return sent
}

// generate returns 128 random bits in hex. An id is a name and not a secret: the fast generator will do.
func generate() string {
	var bits [16]byte
	binary.NativeEndian.PutUint64(bits[:8], rand.Uint64()) //nolint:gosec // see above
	binary.NativeEndian.PutUint64(bits[8:], rand.Uint64()) //nolint:gosec // see above
	return hex.EncodeToString(bits[:])
}
