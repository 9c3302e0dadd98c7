// Command stream prints a continuation as it comes: stream "Once upon a time".
package main

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	slotline "github.com/slotline/slotline/clients/go"
	"github.com/slotline/slotline/clients/go/internal/example"
	"github.com/slotline/slotline/clients/go/slotlinev1"
)

func main() {
	client := example.Client()
	defer client.Close()
	request := slotline.Prompt(example.Argument("Once upon a time"))
	request.Stop = &slotlinev1.StopParams{MaxTokens: proto.Uint32(48)}
	for text, err := range slotline.Text(client.Generate(context.Background(), request)) {
		example.Check(err)
		fmt.Print(text)
	}
	fmt.Println()
}
