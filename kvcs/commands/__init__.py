"""The use cases, one file each: what the command line and `import kvcs` offer."""
