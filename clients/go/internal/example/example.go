// Package example has what the examples share: where the server is, and how they end.
package example

import (
	"cmp"
	"fmt"
	"os"

	slotline "github.com/slotline/slotline/clients/go"
)

// Target is the server's address: that in SLOTLINE_TARGET, or the default one.
func Target() string { return cmp.Or(os.Getenv("SLOTLINE_TARGET"), "127.0.0.1:50051") }

// Client is a client of that server.
func Client(options ...slotline.Option) *slotline.Client {
	client, err := slotline.New([]string{Target()}, options...)
	Check(err)
	return client
}

// Argument is the first argument, or what is given in its place.
func Argument(otherwise string) string {
	if len(os.Args) > 1 {
		return os.Args[1]
	}
	return otherwise
}

// Check ends the program with an error, if there is one.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
