"""Who calls, and what a caller may do: API keys, tenants, the right to change the system prompt.

May import ``rpc`` and ``listen``.
"""
