"""POST /embedding and POST /v1/embeddings."""
