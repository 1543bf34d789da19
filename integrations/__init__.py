"""Other people's systems, each behind a thin client that raises only UpstreamError."""
