-- name: CreateNote :one
INSERT INTO notes (title, text) VALUES ($1, $2) RETURNING *;

-- name: GetNote :one
SELECT * FROM notes WHERE id = $1;

-- name: ListNotes :many
SELECT * FROM notes ORDER BY created_at DESC, id DESC LIMIT $1;

-- name: ListNotesAfter :many
SELECT * FROM notes
WHERE (created_at, id) < (sqlc.arg(last_created_at)::timestamptz, sqlc.arg(last_id)::uuid)
ORDER BY created_at DESC, id DESC LIMIT sqlc.arg(page_size);

-- name: UpdateNote :one
UPDATE notes SET title = $2, text = $3, version = version + 1, updated_at = now()
WHERE id = $1 AND (version = any(sqlc.arg(versions)::bigint[]) OR sqlc.arg(any_version)::boolean) RETURNING *;

-- name: DeleteNote :execrows
DELETE FROM notes
WHERE id = $1 AND (version = any(sqlc.arg(versions)::bigint[]) OR sqlc.arg(any_version)::boolean);
