"""What all resources share: their calls, their lists, what an answer tells, and their addresses."""
