"""Where the time of a request goes: the product, started with marks at named places, and what the marks tell.

The product knows nothing of this. ``launch`` starts it as ``slotline serve`` does, in the same processes, threads and
sockets, but replaces the functions that ``points`` names by wrappers that note the time (``recorder``). ``server`` runs
that, ``hops`` follows requests from mark to mark and ``steps`` the tokens of a step, and ``table`` shows what each hop
took.
"""
