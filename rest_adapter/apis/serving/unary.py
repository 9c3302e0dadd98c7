"""A call to the core that ends when the client leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from rest_adapter.http.disconnect import SOCKET_KEY, DisconnectWatch

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.core.calls import Request, UnaryMethod
    from rest_adapter.core.calls import Response as Reply


def call_for_client(
    context: AppContext,
    method: UnaryMethod[Request, Reply],
    message: Request,
    *,
    timeout_s: float | None,
    tenant: str = "",
) -> Reply:
    """The core's answer. The call is cancelled if the client of the current request leaves.

    Args:
        context: what the routes share.
        method: what is called.
        message: the request.
        timeout_s: seconds that it may take, None for no limit.
        tenant: for whom it is; empty for nobody in particular.

    Raises:
        RpcFailure: the core refused or failed.
    """
    pending = context.core.start(method, message, timeout_s=timeout_s, tenant=tenant)
    try:
        with DisconnectWatch(request.environ.get(SOCKET_KEY), pending.close):
            return pending.wait()
    finally:
        pending.close()
