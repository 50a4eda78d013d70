"""Where a text can go and what can be done: practice sheets, professions, authorities, articles of law, advice."""
