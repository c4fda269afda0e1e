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
	migrationLock  = 5_077_392_846 // a number of our own, for all that migrate this database
	lockPause      = 100 * time.Millisecond
	tableLockLimit = "3s"             // how long a migration may make the queries of others wait behind it
	tableLockPause = time.Second      // between two attempts to get the lock of a table
	migrateTimeout = 10 * time.Minute // for all attempts
)

// Migrate is "bin/service migrate". With no arguments it brings the schema to the newest version; "status" lists the
// migrations, and "down --yes" takes back the service's last one.
func Migrate(ctx context.Context, url config.Secret, out io.Writer, schema fs.FS, arguments ...string) error {
	do, err := migration(arguments)
	if err != nil {
		return err
	}
	db, err := openForMigrations(url)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	locked, err := lock(ctx, db)
	if err != nil {
		return err
	}
	defer locked.Close() // then db.Close ends the session, and with it the lock
	return do(ctx, db, out, schema)
}

// migration returns what the arguments ask for.
func migration(arguments []string) (func(context.Context, *sql.DB, io.Writer, fs.FS) error, error) {
	switch arguments := fmt.Sprint(arguments); arguments {
	case "[]":
		return up, nil
	case "[status]":
		return status, nil
	case "[down --yes]":
		return down, nil
	case "[down]":
		return nil, errors.New("down takes back the last migration, and what is in its tables is lost: type down --yes")
	default:
		return nil, fmt.Errorf("unknown arguments %s: must be nothing, status or down --yes", arguments)
	}
}

// openForMigrations has no limit for a statement: a migration may take long. It must not go through PgBouncer, where the
// locks of a session mean nothing.
func openForMigrations(url config.Secret) (*sql.DB, error) {
	settings, err := parse(url)
	if err != nil {
		return nil, err
	}
	settings.ConnConfig.RuntimeParams["lock_timeout"] = tableLockLimit
	return stdlib.OpenDB(*settings.ConnConfig), nil
}

// lock waits until nobody else migrates, and returns the connection that has the lock. It asks again and again: a session that waits for a lock would keep CREATE INDEX
// CONCURRENTLY from ending.
func lock(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
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
func each(db *sql.DB, schema fs.FS, do func(*goose.Provider) error) error {
	sets, err := all(schema)
	if err != nil {
		return err
	}
	for _, set := range sets {
		p, err := set.provider(db)
		if errors.Is(err, goose.ErrNoMigrations) {
			continue
		}
		if err == nil {
			err = do(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func up(ctx context.Context, db *sql.DB, out io.Writer, schema fs.FS) error {
	return each(db, schema, func(p *goose.Provider) error {
		for {
			result, err := p.UpByOne(ctx)
			switch {
			case err == nil:
				fmt.Fprintln(out, "applied", result.Source.Path)
			case errors.Is(err, goose.ErrNoNextVersion):
				return nil
			case codeOf(err) != "55P03":
				return err
			default:
				fmt.Fprintln(out, "waiting: another transaction has the lock of a table")
				select {
				case <-ctx.Done():
					return err
				case <-time.After(tableLockPause):
				}
			}
		}
	})
}

func status(ctx context.Context, db *sql.DB, out io.Writer, schema fs.FS) error {
	return each(db, schema, func(p *goose.Provider) error {
		migrations, err := p.Status(ctx)
		for _, m := range migrations {
			fmt.Fprintf(out, "%-8s %s\n", m.State, m.Source.Path)
		}
		return err
	})
}

func down(ctx context.Context, db *sql.DB, out io.Writer, schema fs.FS) error {
	p, err := migrations{serviceTable, schema}.provider(db)
	if err != nil {
		return err
	}
	result, err := p.Down(ctx)
	if err == nil {
		fmt.Fprintln(out, "took back", result.Source.Path)
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
