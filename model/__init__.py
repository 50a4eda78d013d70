"""What must be identical when training and when serving: labels, text, features, rules, classifier, artefact."""
