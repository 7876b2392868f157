"""Ground truth: which delivered predictions have their truth, which wait for it, and which actuals match nothing."""
