"""The observatory: figures of what was received, read and decided, with their limits; never a text, an author or a contact."""
