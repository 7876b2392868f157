"""Files of YAML that people write, as values: read strictly, every problem at once, each with its line."""
