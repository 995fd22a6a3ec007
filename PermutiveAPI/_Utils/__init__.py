"""What the resource files use: HTTP, retries, batches, JSON, settings. Nothing here knows a resource."""
