"""Models and releases: what was trained, accepted, sent down and found running, with the key that signs them."""
