"""What the pure modules of all APIs share: fields, options and prompts of bodies, tokens and settings of answers."""
