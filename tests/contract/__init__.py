"""The names, constants, signatures and texts that users' code relies on. They are checked only here."""
