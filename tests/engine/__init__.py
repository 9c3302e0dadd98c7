"""Engine behaviour as transcripts: commands to an engine on the scripted model, and what each step does.

``transcripts/*.txt`` are the documentation of scheduling; CONTRIBUTING.md tells how to read, write and rewrite them.
"""
