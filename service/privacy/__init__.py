"""Privacy: personal data found and masked, pseudonyms, retention, and the requests of the people whom texts are about."""
