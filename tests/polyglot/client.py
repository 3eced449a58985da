#!/usr/bin/python3
"""A Python client of the gateway: one call of every service, and a payment followed to its end.

    PYTHONPATH=<stubs> client.py 127.0.0.1:50051

The gateway must be connected to the playground or to ipp-simulator, where a card can be tapped by a call.
Exit code 0 when the session was FINALIZED.
"""

import sys
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2  # googleapis-common-protos
from kustom.ipp.v1 import device_pb2, device_pb2_grpc
from kustom.ipp.v1 import enrollment_pb2, enrollment_pb2_grpc
from kustom.ipp.v1 import location_pb2, location_pb2_grpc
from kustom.ipp.v1 import outcome_pb2, outcome_pb2_grpc
from kustom.ipp.v1 import session_pb2, session_pb2_grpc
from kustom.ipp.v1 import session_event_pb2, session_event_pb2_grpc
from kustom.ipp.v1 import simulation_pb2, simulation_pb2_grpc

CALL_SECONDS = 10  # a call without a deadline may wait for ever
STREAM_SECONDS = 30


def event_name(event):
    return session_event_pb2.SessionEventType.Name(event.type).removeprefix("SESSION_EVENT_TYPE_")


def main(address):
    with grpc.insecure_channel(address) as channel:
        # Location, enrollment, device: plain reads. A page token would ask for the next page.
        locations = location_pb2_grpc.LocationServiceStub(channel).ListLocations(
            location_pb2.ListLocationsRequest(page_size=10), timeout=CALL_SECONDS)
        print(f"python: {locations.total_size} locations")

        enrollments = enrollment_pb2_grpc.EnrollmentServiceStub(channel).ListEnrollments(
            enrollment_pb2.ListEnrollmentsRequest(page_size=10), timeout=CALL_SECONDS)
        print(f"python: {enrollments.total_size} enrollments")

        # A request_id on everything that creates: it names the creation in errors and events.
        simulation = simulation_pb2_grpc.SimulationServiceStub(channel)
        made = simulation.CreateSimulatedDevice(
            simulation_pb2.CreateSimulatedDeviceRequest(
                request_id=str(uuid.uuid4()), name="Till from Python"),
            timeout=CALL_SECONDS)

        device = device_pb2_grpc.DeviceServiceStub(channel).GetDevice(
            device_pb2.GetDeviceRequest(device_id=made.device.id), timeout=CALL_SECONDS).device
        print(f"python: device {device.id} is called {device.name}")

        # The stream is opened before the session is made, and its first message awaited, so that no
        # event can be missed.
        events = session_event_pb2_grpc.SessionEventServiceStub(channel)
        stream = events.SubscribeSessionEvents(
            session_event_pb2.SubscribeSessionEventsRequest(
                position=session_event_pb2.START_POSITION_FROM_NOW),
            timeout=STREAM_SECONDS)
        first = next(stream)
        if first.WhichOneof("message") != "started":
            raise RuntimeError("the stream did not begin with `started`")

        # Minor units, tax included: 250.00 SEK with 25 % tax in it.
        order = session_pb2.CreateSessionRequest(
            request_id=str(uuid.uuid4()),
            device_id=device.id,
            order_amount=25000,
            order_tax_amount=5000,
            purchase_currency="SEK",
            order_items=[session_pb2.OrderItem(
                type=session_pb2.ORDER_ITEM_TYPE_PHYSICAL,
                name="Coffee beans",
                quantity=1,
                unit_price=25000,
                total_amount=25000,
                tax_rate=2500,
                total_tax_amount=5000)],
            merchant_reference1="python-1")
        session = session_pb2_grpc.SessionServiceStub(channel).CreateSession(
            order, timeout=CALL_SECONDS).session
        print(f"python: session {session.session_id} of 250.00 SEK")
        create_again(channel, order, session.session_id)

        simulation.SimulateCardTap(
            simulation_pb2.SimulateCardTapRequest(
                session_id=session.session_id, outcome=simulation_pb2.TAP_OUTCOME_SUCCESS),
            timeout=CALL_SECONDS)

        finalized = follow(stream, session.session_id)
        stream.cancel()

        history = events.ListSessionEvents(
            session_event_pb2.ListSessionEventsRequest(
                filter=session_event_pb2.SessionEventFilter(session_ids=[session.session_id])),
            timeout=CALL_SECONDS).events
        print(f"python: history: {', '.join(event_name(event) for event in history)}")
        print(f"python: FINALIZED, order {finalized.order_id}, cursor {finalized.cursor}")


def create_again(channel, order, session_id):
    """The same request_id never makes a second session."""
    sessions = session_pb2_grpc.SessionServiceStub(channel)
    again, call = sessions.CreateSession.with_call(order, timeout=CALL_SECONDS)
    check(again.replayed and again.session.session_id == session_id, "not the same session again")
    check(dict(call.trailing_metadata()).get("x-request-id") == order.request_id, "no x-request-id")
    print("python: created again: the same session")

    other = session_pb2.CreateSessionRequest()
    other.CopyFrom(order)
    other.order_amount = other.order_items[0].unit_price = other.order_items[0].total_amount = 30000
    try:
        sessions.CreateSession(other, timeout=CALL_SECONDS)
        raise RuntimeError("another order got the same request_id")
    except grpc.RpcError as error:
        info, bad_request = read_error(error)
        check(error.code() == grpc.StatusCode.INVALID_ARGUMENT and info.reason == "REQUEST_ID_REUSED",
              f"another order: {error.code().name} {info.reason}")
        check(info.domain == "ipp.kustom.co" and info.metadata.get("outcome") == "NOT_SENT"
              and info.metadata.get("request_id") == order.request_id, f"ErrorInfo is {info}")
        fields = [violation.field for violation in bad_request.field_violations]
        check("order_amount" in fields, f"the fields that differ are {fields}")
        check(dict(error.trailing_metadata()).get("x-request-id") == order.request_id, "no x-request-id")
        print(f"python: another order with its id: {info.reason}, {', '.join(fields)}")

    outcome = outcome_pb2_grpc.OutcomeServiceStub(channel).GetCreateOutcome(
        outcome_pb2.GetCreateOutcomeRequest(request_id=order.request_id), timeout=CALL_SECONDS).outcome
    check(outcome.state == outcome_pb2.CREATE_STATE_EXECUTED and outcome.session_id == session_id,
          f"the outcome is {outcome}")
    state = outcome_pb2.CreateState.Name(outcome.state)
    print(f"python: {outcome.rpc} was {state.removeprefix('CREATE_STATE_')}")


def read_error(error):
    """What the gateway says of an error: ErrorInfo and BadRequest, empty where it says nothing."""
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                detail.Unpack(info) or detail.Unpack(bad_request)
    return info, bad_request


def check(good, problem):
    if not good:
        raise RuntimeError(problem)


def follow(stream, session_id):
    """Reads on until the session has ended. The cursor of the last message seen resumes a stream."""
    for response in stream:
        if response.WhichOneof("message") != "event" or response.event.session_id != session_id:
            continue
        event = response.event
        print(f"python: event {event_name(event)}")
        if event.type == session_event_pb2.SESSION_EVENT_TYPE_FINALIZED:
            return event
        if event_name(event) in ("CANCELLED", "EXPIRED", "FAILED"):
            raise RuntimeError(f"the session ended as {event_name(event)}")
    raise RuntimeError("the stream ended before the session")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: client.py HOST:PORT")
    try:
        main(sys.argv[1])
    except grpc.RpcError as error:
        sys.exit(f"python: {error.code().name}: {error.details()}")
    except RuntimeError as error:
        sys.exit(f"python: {error}")
