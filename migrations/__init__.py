"""Schema changes, one history for each database."""
