// Command contract runs the cases of tests/clients with this client: contract CASES PORTS [--hold].
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	slotline "github.com/slotline/slotline/clients/go"
)

// Whoever waits longer has found a hang.
const patience = 20 * time.Second

type testCase struct {
	Name      string
	Core      any
	Key       string
	TLS       string
	Metadata  map[string]any
	RPC       string
	Request   any
	Repeat    map[string]int
	Actions   actions
	OnceReady bool `json:"once_ready"`
	Expect    expectation
}

type actions struct {
	CancelAfter *int `json:"cancel_after"`
	DeadlineMs  int  `json:"deadline_ms"`
	Then        *testCase
}

type portFile struct {
	Cores map[string]string
	TLS   map[string]string
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: contract CASES PORTS [--hold]")
		os.Exit(2)
	}
	var file struct {
		Cores any
		Cases []*testCase
	}
	var ports portFile
	if err := errors.Join(read(os.Args[1], &file), read(os.Args[2], &ports)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(os.Args) > 3 && os.Args[3] == "--hold" {
		hold(ports)
		return
	}
	failed := 0
	for _, one := range file.Cases {
		if problems := runCase(one, ports); len(problems) > 0 {
			failed++
			fmt.Printf("FAILED %s: %v\n", one.Name, problems)
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(file.Cases)-failed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func read(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	// A key that this runner does not know would otherwise not be tried.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func runCase(one *testCase, ports portFile) []string {
	client, err := clientFor(one, ports)
	if err != nil {
		return []string{err.Error()}
	}
	defer client.Close()
	var problems []string
	for call := one; call != nil; call = call.Actions.Then {
		if call.OnceReady {
			untilReady(client)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		came := make(chan []string, 1)
		go func() { came <- runCall(ctx, client, call).differences(call.Expect) }()
		select {
		case found := <-came:
			problems = append(problems, found...)
		case <-time.After(patience + time.Second):
			problems = append(problems, "hangs, though its context has ended")
		}
		if ctx.Err() != nil {
			problems = append(problems, fmt.Sprintf("nothing came for %v", patience))
		}
		cancel()
	}
	return problems
}

func clientFor(one *testCase, ports portFile) (*slotline.Client, error) {
	names, isList := one.Core.([]any)
	if !isList {
		names = []any{one.Core}
	}
	var targets []string
	for _, name := range names {
		targets = append(targets, ports.Cores[name.(string)])
	}
	var options []slotline.Option
	if one.Key != "" {
		options = append(options, slotline.WithAPIKey(one.Key))
	}
	if one.TLS != "" {
		files := slotline.TLSFiles{CA: ports.TLS["ca"]}
		switch one.TLS {
		case "mutual":
			files.Cert, files.Key = ports.TLS["cert"], ports.TLS["key"]
		case "stranger":
			files.Cert, files.Key = ports.TLS["other_cert"], ports.TLS["other_key"]
		}
		settings, err := slotline.LoadTLS(files)
		if err != nil {
			return nil, err
		}
		options = append(options, slotline.WithTLS(settings))
	}
	for name, value := range one.Metadata {
		switch name {
		case "priority":
			options = append(options, slotline.WithPriority(int(value.(float64))))
		case "tenant":
			options = append(options, slotline.WithTenant(value.(string)))
		case "prefix_key":
			options = append(options, slotline.WithPrefixKey(value.(string)))
		default:
			options = append(options, slotline.WithMetadata(name, value.(string)))
		}
	}
	return slotline.New(targets, options...)
}

// hold reads a stream until somebody kills this process.
func hold(ports portFile) {
	client, err := clientFor(&testCase{Core: "plain"}, ports)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	deltas := 0
	for message, err := range client.Generate(context.Background(), slotline.Prompt("slow")) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if message.GetDelta() != nil {
			deltas++
		}
		if deltas == 2 {
			fmt.Println("holding")
		}
	}
}
