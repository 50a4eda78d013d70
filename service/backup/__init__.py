"""Backups of everything that people did: made while they work, verified, restored; and the soundness of the database itself."""
