"""Connects with TLS and a certificate of its own: ``mtls.py CA CERT KEY``.

The server was started with ``--grpc-tls-cert``, ``--grpc-tls-key`` and ``--grpc-client-ca``.
"""

import os
import sys

from slotline.client import Client, Tls

if len(sys.argv) != 4:
    sys.exit("usage: mtls.py CA CERT KEY")
ca, cert, key = sys.argv[1:]
with Client(os.environ.get("SLOTLINE_TARGET", "127.0.0.1:50051"), tls=Tls(ca=ca, cert=cert, key=key)) as client:
    for model in client.models():
        print(model.name)
