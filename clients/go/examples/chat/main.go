// Command chat asks a question, and another one about the answer: chat "What is the capital of Germany?".
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
	options := &slotlinev1.GenerateRequest{
		Sampling: &slotlinev1.SamplingParams{Temperature: proto.Float32(0)},
		Stop:     &slotlinev1.StopParams{MaxTokens: proto.Uint32(48)},
	}
	messages := []*slotlinev1.ChatMessage{slotline.User(example.Argument("What is the capital of Germany?"))}
	for _, question := range []string{"", "Why is it famous?"} {
		if question != "" {
			messages = append(messages, slotline.User(question))
		}
		answer, err := client.Chat(context.Background(), messages, options)
		example.Check(err)
		fmt.Println(answer.Text)
		messages = append(messages, slotline.Assistant(answer.Text))
	}
}
