// Command picture asks about a picture: picture FILE "What is this?". The server needs a model that takes pictures.
package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	slotline "github.com/slotline/slotline/clients/go"
	"github.com/slotline/slotline/clients/go/internal/example"
	"github.com/slotline/slotline/clients/go/slotlinev1"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: picture FILE QUESTION")
		os.Exit(2)
	}
	file, err := os.ReadFile(os.Args[1])
	example.Check(err)
	client := example.Client()
	defer client.Close()
	model, err := client.Model(context.Background(), "")
	example.Check(err)
	if model.GetImages() == nil {
		example.Check(fmt.Errorf("%s takes no pictures", model.GetName()))
	}
	turn := slotline.Turn("user", slotline.ImagePart(file), slotline.TextPart(os.Args[2]))
	options := &slotlinev1.GenerateRequest{
		Sampling: &slotlinev1.SamplingParams{Temperature: proto.Float32(0)},
		Stop:     &slotlinev1.StopParams{MaxTokens: proto.Uint32(64)},
	}
	answer, err := client.Chat(context.Background(), []*slotlinev1.ChatMessage{turn}, options)
	example.Check(err)
	fmt.Println(answer.Text)
}
