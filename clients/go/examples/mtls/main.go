// Command mtls connects with TLS and a certificate of its own: mtls CA CERT KEY. The server was started with
// --grpc-tls-cert, --grpc-tls-key and --grpc-client-ca.
package main

import (
	"context"
	"fmt"
	"os"

	slotline "github.com/slotline/slotline/clients/go"
	"github.com/slotline/slotline/clients/go/internal/example"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: mtls CA CERT KEY")
		os.Exit(2)
	}
	settings, err := slotline.LoadTLS(slotline.TLSFiles{CA: os.Args[1], Cert: os.Args[2], Key: os.Args[3]})
	example.Check(err)
	client := example.Client(slotline.WithTLS(settings))
	defer client.Close()
	models, err := client.Models(context.Background())
	example.Check(err)
	for _, model := range models {
		fmt.Println(model.GetName())
	}
}
