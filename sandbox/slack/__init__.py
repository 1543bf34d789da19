"""A Slack that enforces what Slack enforces: its Web API, its deliveries, its limits."""
