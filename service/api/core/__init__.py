"""One model and its engine as the servicers see them: life cycle, admission, delivery of events, the engine's watch.

May import ``convert`` and the values beside this package; it knows no servers, sockets or calls.
"""
