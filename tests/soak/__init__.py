"""A soak: many streamed requests against a service that fails at random, with kills and resumes.

``python -m tests.soak`` runs it. service.py is the far end, job.py the nightly job that is killed and started
again, __main__.py kills it and compares what the job said with what the service saw.
"""
