// Package queries has the queries and the migrations of this service. It is yours: sqlc writes the .go files from sql/ and
// migrations/, by "make sqlc".
package queries

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema returns the migrations. "bin/service migrate" applies them.
func Schema() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is constant
	}
	return files
}
