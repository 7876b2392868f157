"""From the bytes of records to columns. Today: JSON objects (`json.decode`)."""
