"""Long runs that tests have a short form of."""
