"""One suite for the clients of all languages: scripted cores, cases in JSON, and what runs them; see README.md."""
