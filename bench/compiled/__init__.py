"""What the engine and the sampler gain when mypyc compiles them (docs/adr/0043-the-engine-is-not-compiled.md)."""
