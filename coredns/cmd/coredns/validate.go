package main

import (
	"fmt"
	"io"
	"os"

	"github.com/coredns/caddy"
)

// validateFlag asks to read a Corefile and set up every plugin that it names, and to
// listen nowhere. CoreDNS itself has no such mode; `mlplugin check` needs one.
const validateFlag = "-validate"

// validation runs `coredns -validate FILE` and gives its exit status; ok is false if
// the arguments ask for something else.
func validation(arguments []string, errors io.Writer) (status int, ok bool) {
	if len(arguments) != 2 || arguments[0] != validateFlag {
		return 0, false
	}
	if err := validate(arguments[1]); err != nil {
		fmt.Fprintln(errors, err)
		return 1, true
	}
	return 0, true
}

// validate gives what CoreDNS would refuse to start with.
func validate(path string) error {
	contents, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	input := caddy.CaddyfileInput{Contents: contents, Filepath: path, ServerTypeName: "dns"}
	return caddy.ValidateAndExecuteDirectives(input, nil, true)
}
