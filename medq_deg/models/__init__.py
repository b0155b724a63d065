"""Models that answer questions about images: the interface, prompts, answer parsing, and transformers."""
