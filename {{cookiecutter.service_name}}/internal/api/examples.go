package api
{%- if cookiecutter.database != "none" %}

import "bytes"
{%- endif %}

// examples are routes that stand in files of their own, so that they go when these files are deleted.
var examples []func(*Service, *Router)
{%- if cookiecutter.database != "none" %}

// addExample adds routes, and their description to openapi.yaml.
func addExample(routes func(*Service, *Router), paths []byte) {
	examples = append(examples, routes)
	openAPI = bytes.Replace(openAPI, []byte("\npaths:\n"), append([]byte("\npaths:\n"), paths...), 1)
}
{%- endif %}

func (s *Service) exampleRoutes(r *Router) {
	for _, routes := range examples {
		routes(s, r)
	}
}
