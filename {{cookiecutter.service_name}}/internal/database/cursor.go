package database

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json/v2"
	"errors"
)

// ErrBadCursor is the error of a cursor that this service did not make.
var ErrBadCursor = errors.New("not a cursor of this list")

const macSize = 16

// Cursor returns a text for position, such as the last row of a page: the next page begins after it. The list's name is
// signed too, so that no cursor of another list is accepted. Every copy of the service has the same key, which is in the
// table cursor_keys.
func (d *Database) Cursor(list string, position any) string {
	text, err := json.Marshal(position)
	if err != nil {
		panic(err) // a position is a struct of plain values
	}
	return base64.RawURLEncoding.EncodeToString(append(d.mac(list, text), text...))
}

// ReadCursor sets position to that of a cursor. The error is ErrBadCursor, or that there is no database yet.
func (d *Database) ReadCursor(list, cursor string, position any) error {
	if err := d.missing(); err != nil {
		return err
	}
	signed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(signed) < macSize || !hmac.Equal(signed[:macSize], d.mac(list, signed[macSize:])) {
		return ErrBadCursor
	}
	if json.Unmarshal(signed[macSize:], position) != nil {
		return ErrBadCursor // of an older version, whose positions were others
	}
	return nil
}

func (d *Database) mac(list string, text []byte) []byte {
	mac := hmac.New(sha256.New, d.cursorKey)
	mac.Write(bytes.Join([][]byte{[]byte(list), text}, []byte{0}))
	return mac.Sum(nil)[:macSize]
}
