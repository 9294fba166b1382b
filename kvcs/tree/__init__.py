"""The stored format: a model as data to and from a `Mapping[str, bytes]`.

Everything here is pure. A directory, a revision in git and a dict in a test are three such
mappings, from POSIX path to canonical bytes; `docs/format.md` describes what stands in them.
"""
