package slotline

import (
	"google.golang.org/protobuf/proto"

	"github.com/slotline/slotline/clients/go/slotlinev1"
)

// Prompt is a request that continues a text; set its other fields as you like.
func Prompt(text string) *slotlinev1.GenerateRequest {
	return &slotlinev1.GenerateRequest{Prompt: &slotlinev1.GenerateRequest_Text{Text: text}}
}

// Conversation is a request that answers a conversation. Options are a request without a prompt; nil for none.
func Conversation(messages []*slotlinev1.ChatMessage, options *slotlinev1.GenerateRequest) *slotlinev1.GenerateRequest {
	request := &slotlinev1.GenerateRequest{}
	if options != nil {
		request = proto.Clone(options).(*slotlinev1.GenerateRequest)
	}
	// Options may have variables of the template, tools and the like beside the messages.
	chat := request.GetChat()
	if chat == nil {
		chat = &slotlinev1.ChatPrompt{}
	}
	chat.Messages = messages
	request.Prompt = &slotlinev1.GenerateRequest_Chat{Chat: chat}
	return request
}

// System is a turn that says how to answer.
func System(text string) *slotlinev1.ChatMessage { return Turn("system", TextPart(text)) }

// User is a turn of the user.
func User(text string) *slotlinev1.ChatMessage { return Turn("user", TextPart(text)) }

// Assistant is an earlier answer.
func Assistant(text string) *slotlinev1.ChatMessage { return Turn("assistant", TextPart(text)) }

// Turn is a turn of several parts, such as a picture and a question about it.
func Turn(role string, parts ...*slotlinev1.PromptPart) *slotlinev1.ChatMessage {
	return &slotlinev1.ChatMessage{Role: role, Content: parts}
}

// TextPart is a text in a turn.
func TextPart(text string) *slotlinev1.PromptPart {
	return &slotlinev1.PromptPart{Part: &slotlinev1.PromptPart_Text{Text: text}}
}

// ImagePart is a picture in a turn: the bytes of a PNG, JPEG, WebP, GIF or BMP file, for models that take pictures.
func ImagePart(file []byte) *slotlinev1.PromptPart {
	return &slotlinev1.PromptPart{Part: &slotlinev1.PromptPart_Image{Image: &slotlinev1.Image{Data: file}}}
}

// Texts is a request for the vectors of texts.
func Texts(texts ...string) *slotlinev1.EmbedRequest {
	request := &slotlinev1.EmbedRequest{}
	for _, text := range texts {
		input := &slotlinev1.EmbedInput{Content: &slotlinev1.EmbedInput_Text{Text: text}}
		request.Inputs = append(request.Inputs, input)
	}
	return request
}
