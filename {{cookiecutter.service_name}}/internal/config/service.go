package config

// Service has the settings of this service's own. This file is yours: the template never changes it.
type Service struct{}

// variables has a line for each field of Service, such as
//
//	{"GREETING", "Hello", "how a greeting begins", text(&s.Greeting)},
//	{"API_TOKEN", required, "token for the other service", secret(&s.APIToken)},
//
// A variable whose default is "" may stay unset. Its field is then the zero value.
// The parsers are text, number, duration, truth, oneOf, list, address (a URL) and secret.
func (s *Service) variables() []variable {
	return nil
}

// ForTests has the variables that tests set. Give every required one a value here.
func ForTests() map[string]string {
	return map[string]string{}
}
