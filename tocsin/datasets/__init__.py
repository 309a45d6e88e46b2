"""Public recordings: a catalogue with their homes, licences and digests; fetch, verify and plot them."""
