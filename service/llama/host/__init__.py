"""The machine: the library, its threads and log, the processor, and how much memory there is."""
