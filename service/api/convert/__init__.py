"""Messages of ``slotline.v1`` to engine values and back. Pure: no servers, no sockets, no clock.

Every default and every range that the comments of the protos state is applied here and nowhere else.
"""
