"""How fast the pieces run; each module has `run() -> rows of name, value, unit`."""
