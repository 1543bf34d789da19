"""Responses that another tool collected, read in its own shape and told in ours."""
