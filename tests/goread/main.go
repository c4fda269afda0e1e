// Reads Go files as the compiler does. For each path on standard input it prints a line of JSON: whether gofmt would
// leave the file alone, and the value of its constant "description".
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"os"
	"strconv"
)

type reading struct {
	Formatted   bool
	Description string
}

func main() {
	paths := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for paths.Scan() {
		if err := out.Encode(read(paths.Text())); err != nil {
			log.Fatal(err)
		}
	}
}

func read(path string) reading {
	source, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	formatted, err := format.Source(source)
	if err != nil {
		log.Fatalf("%s: %v", path, err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
	if err != nil {
		log.Fatal(err)
	}
	result := reading{Formatted: bytes.Equal(source, formatted)}
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok && spec.Names[0].Name == "description" {
			literal := spec.Values[0].(*ast.BasicLit)
			if result.Description, err = strconv.Unquote(literal.Value); err != nil {
				log.Fatalf("%s: %v", path, err)
			}
		}
		return true
	})
	return result
}
