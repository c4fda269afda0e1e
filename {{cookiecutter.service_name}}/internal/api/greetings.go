package api

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"{{ cookiecutter.module_path }}/internal/problem"
)

const maxNameLength = 100

type greetingRequest struct {
	Name string `json:"name"`
}

type greeting struct {
	Message string `json:"message"`
}

// greet answers POST /v1/greetings. It is the example: copy it for your first endpoint, then delete it.
func (s *Service) greet(w http.ResponseWriter, r *http.Request) {
	request, ok := decode[greetingRequest](w, r)
	if !ok {
		return
	}
	respond(w, http.StatusOK, greeting{Message: "Hello, " + request.Name + "!"})
}

// Validate has an entry for each field with a bad value.
func (g greetingRequest) Validate() []problem.Field {
	length := utf8.RuneCountInString(g.Name)
	if length < 1 || length > maxNameLength || strings.ContainsFunc(g.Name, unicode.IsControl) {
		return []problem.Field{
			{Pointer: "#/name", Detail: "has to be 1 to 100 characters, none of them a control character"},
		}
	}
	return nil
}
