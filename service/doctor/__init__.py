"""Says, before it fails, what would keep the service from running well here; changes nothing, shows no secret."""
