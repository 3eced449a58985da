#!/usr/bin/python3
"""when_a_call_fails.py PAGE ADDRESS DEVICE REQUEST_ID AMOUNT SECONDS: the same as when_a_call_fails.cc with the
Python code of the page. PYTHONPATH: the stubs that `tests/polyglot/stubs.sh python` makes."""
import os
import sys

import page_code
from kustom.ipp.v1 import session_pb2, session_pb2_grpc

page, address, device, request_id, amount, seconds = sys.argv[1:]
exec(compile(page_code.code(page, "python"), page, "exec"))  # grpc, create_session, nothing_was_done

with grpc.insecure_channel(address) as channel:
    request = session_pb2.CreateSessionRequest(
        request_id=request_id, device_id=device, order_amount=int(amount), purchase_currency="SEK",
        merchant_reference1=os.environ.get("MERCHANT_REFERENCE", request_id),
        order_items=[session_pb2.OrderItem(
            type=session_pb2.ORDER_ITEM_TYPE_PHYSICAL, name="Coffee", quantity=1, unit_price=int(amount),
            total_amount=int(amount))])
    try:
        response = create_session(session_pb2_grpc.SessionServiceStub(channel), request, timeout=int(seconds))
        print("session", response.session.session_id)
    except grpc.RpcError as error:
        print(f"failed {error.details()}" if nothing_was_done(error) else f"later {request.request_id}")
