package slotline

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/slotline/slotline/clients/go/slotlinev1"
)

const (
	prefixKeyName = "slotline-prefix-key"
	blockBytes    = 256
	maxBlocks     = 4
)

// PrefixKey is equal for prompts that begin alike, so that they meet at the server that has this beginning cached; "" for
// a prompt of less than 256 bytes. clients/README.md says how it is made, for all languages.
func PrefixKey(request *slotlinev1.GenerateRequest) string {
	var beginning beginning
	beginning.prompt(request)
	blocks := min(len(beginning)/blockBytes, maxBlocks)
	if blocks == 0 {
		return ""
	}
	chat := request.GetChat()
	root := []string{
		request.GetModel(), request.GetCache().GetCacheSalt(), chat.GetToolsJson(), chat.GetTemplateKwargsJson(),
	}
	sum := sha256.Sum256([]byte(strings.Join(root, "\x00")))
	for i := range blocks {
		sum = sha256.Sum256(append(sum[:], beginning[i*blockBytes:(i+1)*blockBytes]...))
	}
	return hex.EncodeToString(sum[:16])
}

// beginning are the first bytes of a prompt: as many as count, or a few more.
type beginning []byte

func (b *beginning) isFull() bool { return len(*b) >= maxBlocks*blockBytes }

func (b *beginning) prompt(request *slotlinev1.GenerateRequest) {
	switch prompt := request.GetPrompt().(type) {
	case *slotlinev1.GenerateRequest_Text:
		b.text(prompt.Text)
	case *slotlinev1.GenerateRequest_TokenIds:
		b.ids(prompt.TokenIds.GetIds())
	case *slotlinev1.GenerateRequest_Parts:
		b.parts(prompt.Parts.GetParts())
	case *slotlinev1.GenerateRequest_Infill:
		b.parts(prompt.Infill.GetPrefix().GetParts())
		b.parts(prompt.Infill.GetSuffix().GetParts())
	case *slotlinev1.GenerateRequest_Chat:
		for _, message := range prompt.Chat.GetMessages() {
			b.text(message.GetRole() + "\x00")
			b.parts(message.GetContent())
			b.text("\x00")
		}
	}
}

func (b *beginning) parts(parts []*slotlinev1.PromptPart) {
	for _, part := range parts {
		switch part := part.GetPart().(type) {
		case *slotlinev1.PromptPart_Text:
			b.text(part.Text)
		case *slotlinev1.PromptPart_TokenIds:
			b.ids(part.TokenIds.GetIds())
		case *slotlinev1.PromptPart_Image:
			if !b.isFull() {
				sum := sha256.Sum256(part.Image.GetData())
				*b = append(*b, sum[:]...)
			}
		}
	}
}

func (b *beginning) text(text string) {
	if !b.isFull() {
		*b = append(*b, text[:min(len(text), maxBlocks*blockBytes)]...)
	}
}

func (b *beginning) ids(ids []uint32) {
	for _, id := range ids {
		if b.isFull() {
			return
		}
		*b = binary.LittleEndian.AppendUint32(*b, id)
	}
}
