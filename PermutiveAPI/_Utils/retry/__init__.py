"""The retry loop, its rules, the outcome of an attempt, and the rate limits that all requests obey."""
