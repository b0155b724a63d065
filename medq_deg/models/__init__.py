"""Models that answer questions about pictures: the interface, prompts, answer parsing, and transformers."""
