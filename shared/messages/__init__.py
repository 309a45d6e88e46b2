"""What crosses a tier: `messages.cddl` is the definition, `codec` reads and writes it, `compact` writes it on a
device."""
