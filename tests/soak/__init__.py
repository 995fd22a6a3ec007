"""A soak: many streamed requests against a service that fails at random, with kills and resumes.

``python -m tests.soak`` runs it. service.py is the service, job.py the nightly job that is killed and started
again. __main__.py kills it, and compares the job's report with what the service saw.
"""
