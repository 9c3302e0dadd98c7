"""What slots hold in the KV cache: prefixes found and shared, saved and restored, shifted and cut."""
