"""Rehearsals: what is copied, what a job finds, what is said of its changes."""
