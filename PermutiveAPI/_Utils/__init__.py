"""What the resource files use: HTTP, retries, batches, JSON, settings. No module here imports a resource."""
