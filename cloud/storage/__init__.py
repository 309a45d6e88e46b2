"""Where readings and facts are kept: the port, the embedded store behind it, and the relational part."""
