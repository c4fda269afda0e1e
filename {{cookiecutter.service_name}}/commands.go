package main

// commands has what "bin/service NAME" does apart from serving, such as a migration. This file is yours.
func commands() map[string]command {
	return map[string]command{}
}
