"""Python values to JSON data, and back. json.py is what models and users import."""
