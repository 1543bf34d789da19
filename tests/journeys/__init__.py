"""The journeys, through the real processes and protocols."""
