package database_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/database"
	"{{ cookiecutter.module_path }}/internal/database/databasetest"
	"{{ cookiecutter.module_path }}/internal/queries"
)

// open returns a database of the test's own, with variables such as "DATABASE_MAX_CONNS=1".
func open(t *testing.T, variables ...string) *database.Database {
	t.Helper()
	set := config.ForTests()
	set["DATABASE_URL"] = databasetest.New(t)
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		set[name] = value
	}
	cfg, err := config.Load(func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return databasetest.Open(t, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

// one returns the value of a query with one row and one column.
func one[T any](t *testing.T, db *database.Database, sql string) (value T) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func exec(t *testing.T, db *database.Database, sql string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestATransactionIsDoneWhollyOrNotAtAll(t *testing.T) {
	t.Parallel()
	db := open(t)
	add := func(ctx context.Context, tx database.Tx, number int) {
		if _, err := tx.Exec(ctx, "INSERT INTO numbers VALUES ($1)", number); err != nil {
			t.Error(err)
		}
	}
	exec(t, db, "CREATE TABLE numbers (n integer)")
	errWanted := errors.New("stop")
	tests := []struct {
		name string
		do   func(ctx context.Context, tx database.Tx) error
		want error
	}{
		{"an error", func(ctx context.Context, tx database.Tx) error { add(ctx, tx, 1); return errWanted }, errWanted},
		{"no error", func(ctx context.Context, tx database.Tx) error { add(ctx, tx, 2); return nil }, nil},
		{"a query beside it", func(ctx context.Context, tx database.Tx) error {
			add(ctx, tx, 32)
			_, err := db.Exec(ctx, "INSERT INTO numbers VALUES (64)")
			return err
		}, database.ErrNested},
		{"nested", func(ctx context.Context, tx database.Tx) error {
			add(ctx, tx, 4)
			return db.InTx(ctx, func(context.Context, database.Tx) error { return nil })
		}, database.ErrNested},
	}
	for _, test := range tests {
		if err := db.InTx(t.Context(), test.do); !errors.Is(err, test.want) {
			t.Errorf("%s: InTx() = %v, want %v", test.name, err, test.want)
		}
	}
	if err := db.InTx(t.Context(), func(ctx context.Context, tx database.Tx) error {
		add(ctx, tx, 8)
		_, _ = tx.Exec(ctx, "no SQL")
		return nil
	}); err == nil {
		t.Error("a transaction with a statement that failed is committed")
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.InTx(t.Context(), func(ctx context.Context, tx database.Tx) error { add(ctx, tx, 16); panic("boom") })
	}()
	if sum := one[int](t, db, "SELECT sum(n) FROM numbers"); sum != 2 {
		t.Errorf("the sum is %d, want 2: other transactions left something", sum)
	}
}

func TestSerializationFailuresAndDeadlocksAreTriedAgain(t *testing.T) {
	t.Parallel()
	db := open(t)
	for _, code := range []string{"40001", "40P01"} {
		attempts := 0
		err := db.InTx(t.Context(), func(ctx context.Context, tx database.Tx) error {
			if attempts++; attempts == 3 {
				return nil
			}
			_, err := tx.Exec(ctx, "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '"+code+"'; END $$")
			return err
		})
		if err != nil || attempts != 3 {
			t.Errorf("%s: InTx() = %v after %d attempts, want nil after 3", code, err, attempts)
		}
	}
}

func TestAQueryThatIsTooSlowIsCancelledAndItsConnectionSurvives(t *testing.T) {
	t.Parallel()
	db := open(t, "DATABASE_MAX_CONNS=1", "DATABASE_QUERY_TIMEOUT=200ms")
	before := one[int](t, db, "SELECT pg_backend_pid()")
	if _, err := db.Exec(t.Context(), "SELECT pg_sleep(60)"); !database.IsCancelled(err) {
		t.Errorf("Exec() = %v, want that it is cancelled", err)
	}
	if after := one[int](t, db, "SELECT pg_backend_pid()"); after != before {
		t.Error("the connection was replaced")
	}
	if sleeping := one[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()"); sleeping != 0 {
		t.Error("the server still works on the query")
	}
}

func TestATransactionOfALostClientEnds(t *testing.T) {
	t.Parallel()
	db := open(t, "REQUEST_TIMEOUT=7s")
	if got := one[string](t, db, "SHOW idle_in_transaction_session_timeout"); got != "8s" {
		t.Errorf("the server ends it after %s, want a second after REQUEST_TIMEOUT", got)
	}
}

func TestAConnectionIsAwaitedForAcquireTimeoutOnly(t *testing.T) {
	t.Parallel()
	db := open(t, "DATABASE_MAX_CONNS=1", "DATABASE_ACQUIRE_TIMEOUT=50ms")
	rows, err := db.Query(t.Context(), "SELECT generate_series(1, 3)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "SELECT 1"); !database.IsUnavailable(err) {
		t.Errorf("Exec() = %v, want that the database is unavailable", err)
	}
	for rows.Next() {
		continue
	}
	exec(t, db, "SELECT 1") // rows that are read have given their connection back
}

func TestARequestWithAKeyIsDoneOnceHoweverManySendIt(t *testing.T) {
	t.Parallel()
	db := open(t)
	exec(t, db, "CREATE TABLE work (n integer)")
	claim := database.Claim{Route: "POST /", Key: "k", Request: []byte("hash")}
	do := func(ctx context.Context, tx database.Tx) (database.Answer, error) {
		_, err := tx.Exec(ctx, "INSERT INTO work SELECT 1 FROM pg_sleep(0.1)")
		return database.Answer{Status: 201, Body: []byte("done")}, err
	}
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			answer, err := db.Once(t.Context(), claim, do)
			if err == nil && string(answer.Body) != "done" || err != nil && !errors.Is(err, database.ErrInFlight) {
				t.Errorf("Once() = %q, %v", answer.Body, err)
			}
		})
	}
	senders.Wait()
	if answer, err := db.Once(t.Context(), claim, do); err != nil || answer.Status != 201 || string(answer.Body) != "done" {
		t.Errorf("Once() = %+v, %v, want what was stored", answer, err)
	}
	if done := one[int](t, db, "SELECT count(*) FROM work"); done != 1 {
		t.Errorf("the work is done %d times", done)
	}
	claim.Request = []byte("another hash")
	if _, err := db.Once(t.Context(), claim, do); !errors.Is(err, database.ErrKeyReused) {
		t.Errorf("Once() = %v, want ErrKeyReused", err)
	}
	exec(t, db, "UPDATE idempotency_keys SET expires_at = now()")
	if _, err := db.Once(t.Context(), claim, do); err != nil {
		t.Errorf("Once() = %v, want that the key has expired", err)
	}
}

func TestOnlyCursorsOfTheListAreRead(t *testing.T) {
	t.Parallel()
	db := open(t)
	cursor := db.Cursor("notes", []int{1, 2})
	var position []int
	if err := db.ReadCursor("notes", cursor, &position); err != nil || len(position) != 2 {
		t.Errorf("ReadCursor() = %v, position %v", err, position)
	}
	for _, bad := range []string{"", "x", "é", cursor + "AAAA", db.Cursor("other", []int{1, 2})} {
		if err := db.ReadCursor("notes", bad, &position); !errors.Is(err, database.ErrBadCursor) {
			t.Errorf("ReadCursor(%q) = %v, want ErrBadCursor", bad, err)
		}
	}
}

func TestMigrationsAreTakenBackOneAtATime(t *testing.T) {
	t.Parallel()
	url := config.NewSecret(databasetest.New(t))
	schema := fstest.MapFS{
		"99999999999999_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE more ();\n-- +goose Down\nDROP TABLE more;\n")},
	}
	names, _ := fs.Glob(queries.Schema(), "*")
	for _, name := range names {
		content, _ := fs.ReadFile(queries.Schema(), name)
		schema[name] = &fstest.MapFile{Data: content}
	}
	const name = "99999999999999_more.sql\n"
	for _, step := range []struct {
		arguments []string
		want      string
	}{
		{nil, "applied " + name},
		{nil, "nothing to do: the schema is up to date\n"},
		{[]string{"down", "--yes"}, "took back " + name},
		{[]string{"status"}, "pending  " + name},
		{nil, "applied " + name},
	} {
		var out strings.Builder
		if err := database.Migrate(t.Context(), url, &out, schema, step.arguments...); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasSuffix(got, step.want) {
			t.Errorf("migrate %q printed %q, want %q", step.arguments, got, step.want)
		}
	}
	for _, arguments := range [][]string{
		{"down"}, {"up"}, {"status", "--yes"},
	} {
		if err := database.Migrate(t.Context(), url, io.Discard, schema, arguments...); err == nil {
			t.Errorf("migrate %q does something", arguments)
		}
	}
}
