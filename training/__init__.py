"""Corpus, fit, thresholds, evaluation, cards: everything that ends by producing the artefact that is served."""
