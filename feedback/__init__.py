"""What people and phones tell us: polls, answers, telemetry, cohorts, regressions, digests."""
