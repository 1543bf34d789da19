"""The world outside, pretended: Slack, Jira and a fleet of phones, spoken to only over the wire."""
