// Command embeddings compares texts; the server needs --embedding.
package main

import (
	"context"
	"fmt"

	slotline "github.com/slotline/slotline/clients/go"
	"github.com/slotline/slotline/clients/go/internal/example"
)

func main() {
	client := example.Client()
	defer client.Close()
	texts := []string{"a cat", "a kitten", "the stock market"}
	response, err := client.Embed(context.Background(), slotline.Texts(texts...))
	example.Check(err)
	first := response.GetEmbeddings()[0].GetValues()
	for i, one := range response.GetEmbeddings() {
		// Vectors have unit length, so their product is the cosine of the angle between them.
		cosine := float32(0)
		for j, value := range one.GetValues() {
			cosine += value * first[j]
		}
		fmt.Printf("%.3f %s\n", cosine, texts[i])
	}
}
