"""The gRPC side of the core: servicers, conversion between messages and engine values, errors, life cycle.

    server/      the process: gRPC servers, signals, exit code
    servicers/   the two services of ``slotline.v1``
    core/        one model and its engine: life cycle, admission, delivery of events
    metrics/     what ``GetMetrics`` tells
    guard/       API keys, tenants, who may change the system prompt
    rpc/         what all calls have in common: decoding, metadata, errors
    listen/      addresses and bounds on connections
    convert/     messages to engine values and back; pure: no servers, no sockets, no clock

Each room may import those below it, never those above. ``service.api`` may import every other package of ``service``.
"""
