"""Everything that touches libmtmd.

Runs in the process that encodes pictures, and nowhere else: a damaged projector file or an unlucky picture ends the
process that it is in.
"""
