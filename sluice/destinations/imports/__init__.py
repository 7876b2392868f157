"""The object-store import path: Arize's import jobs, and what they say of each file."""
