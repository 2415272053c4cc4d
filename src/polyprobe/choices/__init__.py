"""What a study's parameters stand for: layers by number, categories by full name, sizes in order, target languages."""
