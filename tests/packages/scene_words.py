"""Words that the scenes are written in: what the scripted gateway answers. See scripted_gateway.py."""


def session(status, **more):
    return {"sessionId": "s1", "status": f"SESSION_STATUS_{status}", **more}


def made(status="CREATED"):
    return {"ok": {"session": session(status)}}


def step(status, **more):
    """A message of a watch."""
    paid = {"orderId": "o1"} if status == "FINALIZED" else {}
    return {"message": {"session": session(status, **paid), **more}}


def error(code, reason="", **more):
    return {"error": code, **({"reason": reason} if reason else {}), **more}


def event(name, place=None):
    return {"message": {"event": {"eventId": name, "type": "SESSION_EVENT_TYPE_CREATED", "sessionId": "s1",
                                  "cursor": place or f"after-{name}"}}}


def started(place="start", **more):
    return {"message": {"started": {"cursor": place, **more}}}


def heartbeat(place):
    return {"message": {"heartbeat": {"cursor": place}}}


def goodbye(place):
    return {"message": {"goodbye": {"cursor": place, "reason": "draining"}}}


def receiving(lease="30s"):
    return {"message": {"started": {"subscription": {"name": "books", "lease": lease}}}}


def leased(name, lease=None, attempt=1):
    return {"message": {"leased": {"event": {"eventId": name, "sessionId": f"session-{name}"},
                                   "lease": lease or f"lease-{name}", "attempt": attempt}}}


def until(rpc, count=1):
    return {"until": [rpc, count]}


def results(outcome):
    return {"results": outcome}


RESET, FREEZE, SILENT, END = {"reset": True}, {"freeze": True}, {"silent": True}, {"end": True}
GOODBYE = {"message": {"goodbye": {"reason": "draining"}}}
PAID = [step("CREATED"), step("FINALIZED"), END]
BUSY = error("RESOURCE_EXHAUSTED", "UPSTREAM_RATE_LIMIT", outcome="NOT_SENT", retry_safe=True, retry_ms=150)
DRAINING = error("UNAVAILABLE", "DRAINING")
LIMIT = error("RESOURCE_EXHAUSTED", "TOO_MANY_SUBSCRIBERS", retry_ms=150)
FORBIDDEN = error("PERMISSION_DENIED", "PERMISSION_MISSING")
NOT_FOUND = error("NOT_FOUND", "CREATE_NOT_FOUND")
UNKNOWN = error("UNKNOWN", "OUTCOME_UNKNOWN", outcome="UNKNOWN")


def again(answer):
    return {**answer, "again": True}


def outcome(state, **more):
    return {"ok": {"outcome": {"state": f"CREATE_STATE_{state}", **more}}}
