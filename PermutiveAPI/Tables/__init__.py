"""Tables, plans and references: changes that are shown before they are made.

Only public calls of the library are used here.
"""
