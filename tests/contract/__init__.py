"""What users' code relies on, name by name: constants, signatures and texts are checked here and nowhere else."""
