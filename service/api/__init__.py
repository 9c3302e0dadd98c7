"""The gRPC side of the core: servicers, conversion between messages and engine values, errors, life cycle.

``convert`` is pure and knows neither servers nor sockets. May import every other package of ``service``.
"""
