"""What users ' code relies on, name by name: each constant, signature and text is checked here alone."""
