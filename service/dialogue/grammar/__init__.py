"""The grammar of a whole answer: which texts, reasoning and calls may be generated, in llguidance's dialect of Lark."""
