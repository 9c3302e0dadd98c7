"""What slots held, as files: their names, their layout, a directory of them. Knows neither gRPC nor llama.cpp."""
