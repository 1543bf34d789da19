"""What every room needs: settings, clock, ids, databases, jobs, keys, audit, privacy."""
