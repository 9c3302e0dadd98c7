package slotline

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/slotline/slotline/clients/go/slotlinev1"
)

func TestPromptsHaveTheKeyThatAllLanguagesGiveThem(t *testing.T) {
	raw, err := os.ReadFile("../prefix_keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Key string
		Request   json.RawMessage
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, one := range cases {
		t.Run(one.Name, func(t *testing.T) {
			request := &slotlinev1.GenerateRequest{}
			if err := protojson.Unmarshal(one.Request, request); err != nil {
				t.Fatal(err)
			}
			if key := PrefixKey(request); key != one.Key {
				t.Errorf("key is %q, not %q", key, one.Key)
			}
		})
	}
}

func TestServersComeInTheSameOrderForTheSameKeyAndInTurnsWithoutOne(t *testing.T) {
	servers := newTargets([]string{"a:1", "b:1", "c:1", "a:1"})
	backwards := newTargets([]string{"c:1", "b:1", "a:1"})
	for _, key := range []string{"k1", "k2", "k3", "k4"} {
		if order := servers.order(key); !slices.Equal(order, backwards.order(key)) {
			t.Errorf("order is %v, and %v for the same servers", order, backwards.order(key))
		}
	}
	var first []string
	for range 4 {
		first = append(first, servers.order("")[0])
	}
	if want := []string{"a:1", "b:1", "c:1", "a:1"}; !slices.Equal(first, want) {
		t.Errorf("turns are %v, not %v", first, want)
	}
}

func TestNewRefusesToHaveNoTargetsOrOnesThatAreNone(t *testing.T) {
	for _, targets := range [][]string{nil, {"%zz:"}} {
		if _, err := New(targets); err == nil {
			t.Errorf("%q were taken", targets)
		}
	}
}

func TestConversationsKeepTheOptionsAndLeaveTheirMessageAlone(t *testing.T) {
	options := &slotlinev1.GenerateRequest{Model: "m"}
	made := Conversation([]*slotlinev1.ChatMessage{User("Hi")}, options)
	if made.GetModel() != "m" || len(made.GetChat().GetMessages()) != 1 || options.GetChat() != nil {
		t.Errorf("made %v of %v", made, options)
	}
}
