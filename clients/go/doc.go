// Package slotline is a client for Slotline, an LLM inference server with a gRPC core.
//
//	client, err := slotline.New([]string{"127.0.0.1:50051"})
//	...
//	for text, err := range slotline.Text(client.Generate(ctx, slotline.Prompt("Once upon a time"))) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(text)
//	}
//
// Requests and answers are the messages of package slotlinev1, which is generated from the protos; their comments are the
// reference. A call has no deadline unless its context has one. Failures are of type *Error.
package slotline
