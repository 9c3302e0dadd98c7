"""What computes: the library's weights, contexts, batches and their memory."""
