"""Doing: what a command, a job or a tick carries out."""
