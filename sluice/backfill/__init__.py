"""Backfill: windows of the past, fixed in a claim, delivered in any order by any number of runs."""
