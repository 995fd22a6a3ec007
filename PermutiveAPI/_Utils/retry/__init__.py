"""The retry loop, its rules, the outcome of an attempt, and how calls keep to rate limits."""
