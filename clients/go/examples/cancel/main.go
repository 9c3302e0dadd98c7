// Command cancel leaves a stream after eight parts, and stops another one by its context: both free their slots at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	slotline "github.com/slotline/slotline/clients/go"
	"github.com/slotline/slotline/clients/go/internal/example"
)

func main() {
	client := example.Client()
	defer client.Close()
	parts := 0
	for text, err := range slotline.Text(client.Generate(context.Background(), slotline.Prompt("1, 2, 3,"))) {
		example.Check(err)
		fmt.Print(text)
		if parts++; parts == 8 {
			break
		}
	}
	fmt.Println("\nleft the loop")

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for message, err := range client.Generate(ctx, slotline.Prompt("1, 2, 3,")) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			fmt.Println("the context ended it")
			break
		}
		example.Check(err)
		if message.GetDelta() != nil {
			cancel()
		}
	}
}
