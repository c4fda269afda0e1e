// Reads Go services as the compiler does. For each line of JSON on standard input, a module path and the files of that
// module by name, it prints one: the files that gofmt would change, the first error of the type checker, and the
// value of the constant "description".
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"log"
	"os"
	"path"
	"strconv"
	"strings"
)

type module struct {
	Path  string
	Files map[string]string
}

type reading struct {
	Unformatted []string
	Error       string
	Description string
}

func main() {
	standardLibrary := importer.Default()
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var m module
		if err := in.Decode(&m); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		if err := out.Encode(read(m, standardLibrary)); err != nil {
			log.Fatal(err)
		}
	}
}

func read(m module, standardLibrary types.Importer) reading {
	c := checker{module: m, standardLibrary: standardLibrary, packages: map[string]*types.Package{}}
	main, err := c.Import(m.Path)
	if err != nil {
		return reading{Error: err.Error()}
	}
	description := main.Scope().Lookup("description").(*types.Const).Val().ExactString()
	result := reading{}
	if result.Description, err = strconv.Unquote(description); err != nil {
		return reading{Error: err.Error()}
	}
	for name, source := range m.Files {
		if formatted, err := format.Source([]byte(source)); err != nil || !bytes.Equal(formatted, []byte(source)) {
			result.Unformatted = append(result.Unformatted, name)
		}
	}
	return result
}

// A checker imports the packages of one module from their sources, all others from the standard library.
type checker struct {
	module          module
	standardLibrary types.Importer
	packages        map[string]*types.Package
}

func (c checker) Import(importPath string) (*types.Package, error) {
	folder, inModule := strings.CutPrefix(importPath+"/", c.module.Path+"/")
	if !inModule {
		return c.standardLibrary.Import(importPath)
	}
	if done, ok := c.packages[importPath]; ok {
		return done, nil
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for name, source := range c.module.Files {
		if path.Dir(name) != path.Clean(folder) {
			continue
		}
		file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, errors.New("no package " + importPath)
	}
	checked, err := (&types.Config{Importer: c}).Check(importPath, fset, files, nil)
	c.packages[importPath] = checked
	return checked, err
}
