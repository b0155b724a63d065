"""What finished runs say, in words and as ranks; nothing here draws or prints."""
