"""Turns logits into tokens: bias, penalties and the sampler chain, in numpy. Imports nothing else of this project."""
