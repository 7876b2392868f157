"""Where records come from: each source plans from a snapshot and reads exact ranges of offsets."""
