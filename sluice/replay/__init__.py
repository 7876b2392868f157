"""Replay: rows of sealed entries go out once more, on purpose; rejected records, once they pass."""
