"""Where staged windows go."""
