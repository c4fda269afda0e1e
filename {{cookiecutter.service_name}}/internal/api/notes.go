package api

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
	"uuid"

	"github.com/jackc/pgx/v5"

	"{{ cookiecutter.module_path }}/internal/database"
	"{{ cookiecutter.module_path }}/internal/problem"
	"{{ cookiecutter.module_path }}/internal/queries"
)

// This file is the example of a table. To delete it: docs/database.md. Its routes and their description stand in files of its
// own. Yours are lines in routes.go and openapi.yaml.

//go:embed notes.paths.yaml
var notePaths []byte

func init() { addExample((*Service).noteRoutes, notePaths) }

func (s *Service) noteRoutes(r *Router) {
	r.Handle("POST /v1/notes", s.createNote)
	r.Handle("GET /v1/notes", s.listNotes)
	r.Handle("GET /v1/notes/{id}", s.getNote)
	r.Handle("PUT /v1/notes/{id}", s.updateNote)
	r.Handle("DELETE /v1/notes/{id}", s.deleteNote)
}

const (
	longestTitle = 200               // characters
	longestText  = 10_000            // characters
	titleIsTaken = "notes_title_key" // the constraint
)

type noteRequest struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Validate has an entry for each field with a bad value. PostgreSQL stores no NUL.
func (n noteRequest) Validate() (fields []problem.Field) {
	length := utf8.RuneCountInString(n.Title)
	if length < 1 || length > longestTitle || strings.ContainsFunc(n.Title, unicode.IsControl) {
		fields = append(fields, problem.Field{
			Pointer: "#/title", Detail: "has to be 1 to 200 characters, none of them a control character",
		})
	}
	if utf8.RuneCountInString(n.Text) > longestText || strings.ContainsRune(n.Text, 0) {
		fields = append(fields, problem.Field{
			Pointer: "#/text", Detail: "has to be at most 10000 characters, none of them NUL",
		})
	}
	return fields
}

type note struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func noteOf(row queries.Note) note {
	return note{row.ID, row.Title, row.Text, row.CreatedAt.UTC(), row.UpdatedAt.UTC()}
}

// etagOf returns the ETag of a version of a note. See RFC 9110, section 8.8.3.
func etagOf(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// createNote answers POST /v1/notes.
func (s *Service) createNote(w http.ResponseWriter, r *http.Request) {
	request, ok := decode[noteRequest](w, r)
	if !ok {
		return
	}
	s.once(w, r, request, func(ctx context.Context, tx database.Tx) (database.Answer, error) {
		row, err := queries.New(tx).CreateNote(ctx, request.Title, request.Text)
		if err != nil {
			return database.Answer{}, titleError(err)
		}
		header := http.Header{"Location": {"/v1/notes/" + row.ID}, "Etag": {etagOf(row.Version)}}
		return answerWith(http.StatusCreated, header, noteOf(row)), nil
	})
}

func titleError(err error) error {
	if database.IsTaken(err, titleIsTaken) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// getNote answers GET /v1/notes/{id}.
func (s *Service) getNote(w http.ResponseWriter, r *http.Request) {
	id, err := noteID(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	row, err := queries.New(s.Database).GetNote(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("ETag", etagOf(row.Version))
	respond(w, http.StatusOK, noteOf(row))
}

// noteID returns the id in the path. No note has an id that is not a UUID.
func noteID(r *http.Request) (string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return "", fmt.Errorf("note %.40q: %w", r.PathValue("id"), ErrNotFound)
	}
	return id.String(), nil
}

type noteList struct {
	Notes      []note `json:"notes"`
	NextCursor string `json:"next_cursor,omitzero"`
}

// notePosition is the last note of a page.
type notePosition struct {
	CreatedAt time.Time
	ID        string
}

// listNotes answers GET /v1/notes, newest first. The cursor is the place of the last note, not its number, so that no note is
// listed twice or left out when others are added or deleted in between.
func (s *Service) listNotes(w http.ResponseWriter, r *http.Request) {
	parameters := parametersOf(r)
	limit := parameters.number("limit", 20, 1, 100)
	var after notePosition
	cursor := parameters.value("cursor")
	if cursor != "" && errors.Is(s.Database.ReadCursor("notes", cursor, &after), database.ErrBadCursor) {
		parameters.refuse("cursor", "has to be the next_cursor of a response")
	}
	err := parameters.err()
	if err != nil {
		fail(w, r, err)
		return
	}
	q := queries.New(s.Database)
	var rows []queries.Note
	if cursor == "" {
		rows, err = q.ListNotes(r.Context(), int32(limit+1)) //nolint:gosec // at most 101
	} else {
		rows, err = q.ListNotesAfter(r.Context(), after.CreatedAt, after.ID, int32(limit+1)) //nolint:gosec // as above
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	list := noteList{Notes: []note{}}
	if len(rows) > limit { // the row that is too many tells that there is a next page
		rows = rows[:limit]
		last := rows[limit-1]
		list.NextCursor = s.Database.Cursor("notes", notePosition{last.CreatedAt, last.ID})
	}
	for _, row := range rows {
		list.Notes = append(list.Notes, noteOf(row))
	}
	respond(w, http.StatusOK, list)
}

// updateNote answers PUT /v1/notes/{id}. It needs If-Match, so that nobody overwrites a change that they have not seen.
func (s *Service) updateNote(w http.ResponseWriter, r *http.Request) {
	id, err := noteID(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	request, ok := decode[noteRequest](w, r)
	if !ok {
		return
	}
	versions, isAny := ifMatch(r)
	if len(versions) == 0 && !isAny {
		problem.Refuse(w, r, http.StatusPreconditionRequired, "If-Match has to have the ETag of the note.")
		return
	}
	row, err := queries.New(s.Database).UpdateNote(r.Context(), queries.UpdateNoteParams{
		ID: id, Title: request.Title, Text: request.Text, Versions: versions, AnyVersion: isAny,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		s.missed(w, r, id)
		return
	}
	if err != nil {
		fail(w, r, titleError(err))
		return
	}
	w.Header().Set("ETag", etagOf(row.Version))
	respond(w, http.StatusOK, noteOf(row))
}

// ifMatch returns the versions that If-Match has, or whether it has a star. An ETag that is not one of ours is version 0,
// which no note has. See RFC 9110, section 13.1.1.
func ifMatch(r *http.Request) (versions []int64, isAny bool) {
	for value := range strings.SplitSeq(strings.Join(r.Header.Values("If-Match"), ","), ",") {
		tag := strings.TrimSpace(value)
		if tag == "" {
			continue
		}
		version, _ := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if tag != etagOf(version) {
			version = 0
		}
		versions = append(versions, version)
		isAny = isAny || tag == "*"
	}
	return versions, isAny
}

// missed responds to a request that found no note of the versions in If-Match: it has another one, or there is no such note.
func (s *Service) missed(w http.ResponseWriter, r *http.Request, id string) {
	if _, err := queries.New(s.Database).GetNote(r.Context(), id); err != nil {
		fail(w, r, err)
		return
	}
	problem.Refuse(w, r, http.StatusPreconditionFailed, "The note has changed since.")
}

// deleteNote answers DELETE /v1/notes/{id}. It needs no If-Match, but heeds one.
func (s *Service) deleteNote(w http.ResponseWriter, r *http.Request) {
	id, err := noteID(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	versions, isAny := ifMatch(r)
	deleted, err := queries.New(s.Database).DeleteNote(r.Context(), id, versions, isAny || len(versions) == 0)
	switch {
	case err != nil:
		fail(w, r, err)
	case deleted == 0:
		s.missed(w, r, id)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
