"""What the tiers agree on: messages, topics, integer signal arithmetic, model images, recordings. Imports no tier."""
