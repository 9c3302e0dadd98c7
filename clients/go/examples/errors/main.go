// Command errors shows what can go wrong, and how a program tells one thing from another.
package main

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	slotline "github.com/slotline/slotline/clients/go"
	"github.com/slotline/slotline/clients/go/internal/example"
	"github.com/slotline/slotline/clients/go/slotlinev1"
)

func main() {
	client := example.Client()
	defer client.Close()
	request := slotline.Prompt("Once upon a time")
	request.Output = &slotlinev1.OutputOptions{MaxDeltaDelayMs: proto.Uint32(60_000)}
	_, err := client.Complete(context.Background(), request)
	fmt.Println(explain(err))

	nobody, err := slotline.New([]string{"127.0.0.1:1"})
	example.Check(err)
	defer nobody.Close()
	_, err = nobody.Complete(context.Background(), slotline.Prompt("Once upon a time"))
	fmt.Println(explain(err))
}

func explain(err error) string {
	var failure *slotline.Error
	switch {
	case err == nil:
		return "nothing went wrong"
	case errors.Is(err, slotline.ErrLost):
		return "the server is gone; what came before is true"
	case !errors.As(err, &failure):
		return err.Error()
	case failure.RetryAfter > 0:
		return fmt.Sprintf("%s: try again in %v", failure.Reason, failure.RetryAfter)
	case failure.Field() != "":
		return fmt.Sprintf("%s in %s: %s", failure.Reason, failure.Field(), failure.Violations[0].Description)
	default:
		return fmt.Sprintf("%v, reason %q", failure.Code, failure.Reason)
	}
}
