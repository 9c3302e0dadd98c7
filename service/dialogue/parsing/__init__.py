"""The parser of answers: text in, as it is generated; content, reasoning and tool calls out."""
