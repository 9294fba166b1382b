"""`kvcs init`, which sets a repository up, and `kvcs doctor`, which says what it lacks."""
