"""GET and POST /lora-adapters."""
