package requestid

import (
	"strings"
	"testing"
)

func TestChooseKeepsSafeIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "0", "Az09._-", strings.Repeat("x", 128)} {
		if got := Choose(id); got != id {
			t.Errorf("Choose(%q) = %q, want it kept", id, got)
		}
	}
}

func TestChooseReplacesOtherIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", strings.Repeat("x", 129), "a b", "a\nb", `a"b`, "a/b", "ä", "@", "[", "`", "{"} {
		got := Choose(id)
		if got == id || Choose(got) != got {
			t.Errorf("Choose(%q) = %q, want a new id", id, got)
		}
	}
}

func TestGeneratedIDsDiffer(t *testing.T) {
	t.Parallel()
	if a, b := Choose(""), Choose(""); a == b {
		t.Errorf("Choose returns %q twice", a)
	}
}
