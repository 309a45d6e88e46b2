"""The centre: stores the history, shows it, retrains, and sends signed models back down."""
