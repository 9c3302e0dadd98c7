"""POST /slots/{id}?action=save, restore or erase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from rest_adapter.apis.native.slot_actions.reply import erased_json, restored_json, saved_json
from rest_adapter.apis.native.slot_actions.request import (
    SlotAction,
    SlotActionRequest,
    read_action,
    read_slot_action,
    read_slot_id,
    rename_fields,
)
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.unary import call_for_client
from rest_adapter.core.calls import ERASE_SLOT, RESTORE_SLOT, SAVE_SLOT, Request, UnaryMethod
from rest_adapter.core.calls import Response as Reply
from rest_adapter.errors import RpcFailure
from rest_adapter.http.responses import Answer, json_response
from slotline.v1.slot_files_pb2 import RestoreSlotRequest, SaveSlotRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.json.encoding import JsonObject


def act_on_slot(context: AppContext) -> Answer:
    """Do to a slot what the query says, once it is idle."""
    slot_id = read_slot_id((request.view_args or {})["id"])
    action = read_action(request.args.get("action"))
    if action is SlotAction.ERASE:
        # It needs no body, and clients of llama.cpp's server send none.
        asked = read_slot_action({}, slot_id, action)
    else:
        asked = read_body(context, lambda body: read_slot_action(body, slot_id, action))
    try:
        return json_response(_answer(context, asked))
    except RpcFailure as failure:
        raise rename_fields(failure) from failure


def _answer(context: AppContext, asked: SlotActionRequest) -> JsonObject:
    if isinstance(asked, SaveSlotRequest):
        return saved_json(asked.slot_id, asked.filename, _call(context, SAVE_SLOT, asked))
    if isinstance(asked, RestoreSlotRequest):
        return restored_json(asked.slot_id, asked.filename, _call(context, RESTORE_SLOT, asked))
    return erased_json(asked.slot_id, _call(context, ERASE_SLOT, asked))


def _call(context: AppContext, method: UnaryMethod[Request, Reply], asked: Request) -> Reply:
    limit_s, tenant = context.config.request_timeout_s, context.keys.tenant()
    return call_for_client(context, method, asked, timeout_s=limit_s, tenant=tenant)
