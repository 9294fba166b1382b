"""Files that ship with kvcs and are no code."""
