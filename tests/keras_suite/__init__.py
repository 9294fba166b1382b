"""Keras' own tests as an acceptance suite: see `docs/testing.md`."""
