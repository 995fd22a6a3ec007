"""The commands. Each is imported when it runs."""
