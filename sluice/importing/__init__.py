"""The import path: one job a prefix, one file an entry, each settled by its path."""
