"""The command, the batch engine, the HTTP API and the web page."""
