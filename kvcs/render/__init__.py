"""What commands found, in words, tables and JSON; nothing is computed here."""
