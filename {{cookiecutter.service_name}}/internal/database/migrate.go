package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"{{ cookiecutter.module_path }}/internal/config"
)

//go:embed migrations/*.sql
var files embed.FS

// The tables in which goose notes the migrations that were applied: those of this package, and those of the service.
const ownTable, serviceTable = "goose_template_version", "goose_db_version"

const (
	migrationLock = 5_077_392_846 // a number of our own, for all that migrate this database
	lockPause     = 100 * time.Millisecond
	// A migration that waits for the lock of a table makes the queries of others wait behind it. So it gives up soon, long before
	// DATABASE_ACQUIRE_TIMEOUT, and tries again later.
	tableLockLimit = "300ms"
	tableLockPause = 2 * time.Second
	longestWait    = 10 * time.Minute // for a lock
)

// migrator is "bin/service migrate".
type migrator struct {
	url    config.Secret
	db     *sql.DB
	out    io.Writer
	schema fs.FS
}

// Migrate is "bin/service migrate". With no arguments it brings the schema to the newest version; "status" lists the
// migrations, and "down --yes" takes back the service's last one.
func Migrate(ctx context.Context, url config.Secret, out io.Writer, schema fs.FS, arguments ...string) error {
	m := migrator{url, nil, out, schema}
	do, err := m.command(arguments)
	if err != nil {
		return err
	}
	if m.db, err = openForMigrations(url, tableLockLimit); err != nil {
		return err
	}
	defer m.db.Close()
	locked, err := lock(ctx, m.db)
	if err != nil {
		return explain(url, err)
	}
	defer locked.Close() // then db.Close ends the session, and with it the lock
	return do(ctx)
}

// command returns what the arguments ask for.
func (m *migrator) command(arguments []string) (func(context.Context) error, error) {
	switch arguments := fmt.Sprint(arguments); arguments {
	case "[]":
		return m.up, nil
	case "[status]":
		return m.status, nil
	case "[down --yes]":
		return m.down, nil
	case "[down]":
		return nil, errors.New("down takes back the last migration, and what is in its tables is lost: type down --yes")
	default:
		return nil, fmt.Errorf("unknown arguments %s: must be nothing, status or down --yes", arguments)
	}
}

// openForMigrations has no limit for a statement: a migration may take long. It must not go through PgBouncer, where the
// locks of a session mean nothing.
func openForMigrations(url config.Secret, lockLimit string) (*sql.DB, error) {
	settings, err := parse(url)
	if err != nil {
		return nil, err
	}
	settings.ConnConfig.RuntimeParams["lock_timeout"] = lockLimit
	return stdlib.OpenDB(*settings.ConnConfig), nil
}

// lock waits until nobody else migrates, and returns the connection that has the lock. It asks again and again: a session
// that waits for a lock would keep CREATE INDEX CONCURRENTLY from ending.
func lock(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for {
		var isFree bool
		if err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(migrationLock)).Scan(&isFree); err != nil {
			break
		}
		if isFree {
			return conn, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(lockPause):
		}
	}
	_ = conn.Close()
	return nil, err
}

// migrations are files, and the table in which goose notes those that were applied.
type migrations struct {
	table string
	files fs.FS
}

// all returns the migrations of this package and those of the service.
func all(schema fs.FS) ([]migrations, error) {
	own, err := fs.Sub(files, "migrations")
	return []migrations{
		{ownTable, own},
		{serviceTable, schema},
	}, err
}

func (m migrations) provider(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectPostgres, db, m.files,
		goose.WithTableName(m.table), goose.WithDisableGlobalRegistry(true))
}

// newest returns the highest version of the files, or 0.
func (m migrations) newest() (version int64, _ error) {
	names, err := fs.Glob(m.files, "*.sql")
	for _, name := range names {
		number, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		version = max(version, number)
	}
	return version, err
}

// Fingerprint returns a text that changes with the migrations.
func Fingerprint(schema fs.FS) string {
	sets, _ := all(schema)
	hash := sha256.New()
	for _, set := range sets {
		_ = fs.WalkDir(set.files, ".", func(path string, _ fs.DirEntry, _ error) error {
			content, _ := fs.ReadFile(set.files, path)
			fmt.Fprintf(hash, "%s\n%s\n", path, content)
			return nil
		})
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// each calls do for all migrations.
func (m *migrator) each(do func(migrations, *goose.Provider) error) error {
	sets, err := all(m.schema)
	if err != nil {
		return err
	}
	for _, set := range sets {
		p, err := set.provider(m.db)
		if errors.Is(err, goose.ErrNoMigrations) {
			continue
		}
		if err == nil {
			err = do(set, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *migrator) up(ctx context.Context) error {
	isCurrent := true
	err := m.each(func(set migrations, p *goose.Provider) error {
		for {
			switch name, err := next(ctx, p); {
			case err != nil:
				return err
			case name == "":
				return nil
			default:
				isCurrent = false
				if err := m.apply(ctx, set, p, name); err != nil {
					return err
				}
			}
		}
	})
	if err == nil && isCurrent {
		fmt.Fprintln(m.out, "nothing to do: the schema is up to date")
	}
	return err
}

// next returns the file of the first migration that was not applied, or "".
func next(ctx context.Context, p *goose.Provider) (string, error) {
	migrations, err := p.Status(ctx)
	for _, migration := range migrations {
		if migration.State == goose.StatePending {
			return migration.Source.Path, err
		}
	}
	return "", err
}

// apply applies the next migration. If somebody else has the lock of a table, it tries again, for up to longestWait.
func (m *migrator) apply(ctx context.Context, set migrations, p *goose.Provider, name string) error {
	content, err := fs.ReadFile(set.files, name)
	if err != nil {
		return err
	}
	if outsideTransaction.Match(content) {
		return m.applyOutside(ctx, set)
	}
	for begin := time.Now(); ; {
		err := m.step(ctx, p)
		if codeOf(err) != "55P03" || time.Since(begin) > longestWait { // lock_not_available
			return err
		}
		fmt.Fprintln(m.out, "waiting: another transaction has the lock of a table")
		select {
		case <-ctx.Done():
			return err
		case <-time.After(jittered(tableLockPause)):
		}
	}
}

var outsideTransaction = regexp.MustCompile(`(?mi)^--\s*\+goose\s+NO\s+TRANSACTION`)

// applyOutside applies a migration that has no transaction, such as CREATE INDEX CONCURRENTLY. Its locks let the queries of
// others pass, so it waits for them without a limit. If it failed before, an index may be left that IF NOT EXISTS would take
// for a good one.
func (m *migrator) applyOutside(ctx context.Context, set migrations) error {
	db, err := openForMigrations(m.url, "0")
	if err != nil {
		return err
	}
	defer db.Close()
	var index string
	switch err := db.QueryRowContext(ctx, invalidIndex).Scan(&index); {
	case err == nil:
		return fmt.Errorf("the index %s is invalid, because its creation failed: type DROP INDEX CONCURRENTLY %[1]s in psql, and migrate again", index)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	p, err := set.provider(db)
	if err != nil {
		return err
	}
	return m.step(ctx, p)
}

// step applies the next migration, once.
func (m *migrator) step(ctx context.Context, p *goose.Provider) error {
	result, err := p.UpByOne(ctx)
	if err == nil {
		fmt.Fprintln(m.out, "applied", result.Source.Path)
	}
	return err
}

const invalidIndex = `SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
	WHERE NOT indisvalid AND relkind = 'i' AND indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index)`

func (m *migrator) status(ctx context.Context) error {
	return m.each(func(_ migrations, p *goose.Provider) error {
		migrations, err := p.Status(ctx)
		for _, migration := range migrations {
			fmt.Fprintf(m.out, "%-8s %s\n", migration.State, migration.Source.Path)
		}
		return err
	})
}

func (m *migrator) down(ctx context.Context) error {
	p, err := migrations{serviceTable, m.schema}.provider(m.db)
	if err != nil {
		return err
	}
	result, err := p.Down(ctx)
	switch {
	case err == nil:
		fmt.Fprintln(m.out, "took back", result.Source.Path)
	case errors.Is(err, goose.ErrNoNextVersion):
		return errors.New("nothing to take back")
	}
	return err
}

// schemaError says that migrations were not applied.
type schemaError struct {
	table      string
	has, needs int64
}

func (s schemaError) Error() string {
	return fmt.Sprintf("the schema is too old: %s has version %d, this build needs %d. Run: bin/service migrate",
		s.table, s.has, s.needs)
}

// checkSchema returns a schemaError if the schema is older than this build. A newer one is accepted: while a release
// replaces another, both run.
func checkSchema(ctx context.Context, conn *pgx.Conn, schema fs.FS) error {
	sets, err := all(schema)
	if err != nil {
		return err
	}
	for _, set := range sets {
		needs, err := set.newest()
		if err != nil {
			return err
		}
		var has int64
		err = conn.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+set.table+" WHERE is_applied").Scan(&has)
		if err != nil && codeOf(err) != "42P01" { // undefined_table
			return err
		}
		if has < needs {
			return schemaError{set.table, has, needs}
		}
	}
	return nil
}
