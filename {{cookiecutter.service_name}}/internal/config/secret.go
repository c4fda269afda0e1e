package config

import (
	"fmt"
	"log/slog"
)

// Secret is a text that is not shown by accident: logs, errors, JSON and fmt show "***" in its place. The text is
// behind a function, because fmt would print a string in an unexported field without asking the type.
type Secret struct{ reveal func() string }

const masked = "***"

// NewSecret returns a Secret with the text.
func NewSecret(text string) Secret { return Secret{func() string { return text }} }

// Reveal returns the text, which is empty in the zero value.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format implements [fmt.Formatter] for every verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(masked)) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText makes encoding/json and other encoders write "***".
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }
