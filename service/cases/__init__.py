"""Cases (« dossiers »): texts gathered with their findings, the answer of the person concerned, and what is handed on."""
