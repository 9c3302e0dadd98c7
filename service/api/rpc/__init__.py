"""What all calls have in common: decoding, metadata, and errors as statuses. Stands on nothing else of this API."""
