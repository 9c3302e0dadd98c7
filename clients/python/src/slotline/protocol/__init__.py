"""What clients and servers agree on beside the messages: metadata of calls, API keys, details of errors.

The core, the REST adapter and the Python client all read and write these through here, so that none of it is written
twice. Imports nothing of the rest of Slotline, and not gRPC.
"""
