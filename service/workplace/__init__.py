"""The workplace of analysts and reviewers: people, texts, decisions, readings, what is learned from them. No HTTP here."""
