"""The one retry loop: its rules, what an attempt came to, its waits, and the limits all keep to."""
