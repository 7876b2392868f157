"""Flows tell the story: one file a flow, and the command line."""
