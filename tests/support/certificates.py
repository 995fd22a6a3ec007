"""TLS for the servers of tests."""

from __future__ import annotations

import ssl

import trustme


def context_for(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
