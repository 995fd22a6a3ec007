"""The mechanisms below the resources: each written once, none knows a resource."""
