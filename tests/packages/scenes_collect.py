"""How each rule of a payment is played: `script` is the gateway's part, `rpc` the one that the rule is about."""
from scene_words import (BUSY, DRAINING, END, FORBIDDEN, FREEZE, LIMIT, NOT_FOUND, PAID, RESET, SILENT, UNKNOWN, again,
                         error, made, outcome, step, until)

QUICK = {"create": 0.6, "answer_allowance": 0.1, "look": 0.3}
CANCELLED = made("CANCELLED")


def create(answers, watch=(PAID,), **more):
    return {"do": "collect", "rpc": "CreateSession", "script": {
        "CreateSession": answers, "WatchSession": list(watch), **more.pop("script", {})}, **more}


def watch(streams, **more):
    return {"do": "collect", "rpc": more.pop("rpc", "WatchSession"), "script": {
        "CreateSession": [made()], "WatchSession": streams, **more.pop("script", {})}, **more}


def looked_up(answers, *outcomes, **more):
    return create(answers, script={"GetCreateOutcome": list(outcomes)}, **more)


AWAY = error("UNAVAILABLE", "UPSTREAM_UNAVAILABLE", outcome="NOT_SENT", retry_safe=True)
NO_STORE = {**AWAY, "reason": "STORE_UNAVAILABLE"}


def in_the_dark(*answers):
    """What became of the create cannot be read either."""
    return looked_up(list(answers), again(NO_STORE), timing=QUICK, timeout=1.2, on_stop="LEAVE_SESSION",
                     watch=(again(NO_STORE),))


STOPPED = {"then": [until("WatchSession"), {"do": "stop"}], "rpc": "CancelSession"}

SCENES = {
    "create-busy": create([BUSY, made()], gap=0.15),
    "create-away": create([AWAY, made()]),
    "create-reset": create([RESET, RESET, made()]),
    "create-frozen": create([FREEZE, made()]),
    "create-unanswered": looked_up([SILENT], outcome("EXECUTED", sessionId="s1"), timing=QUICK),
    "create-refused": create([error("INVALID_ARGUMENT", "UPSTREAM_REFUSED", outcome="REJECTED")], ()),
    "create-invalid": create([error("INVALID_ARGUMENT", "INVALID_REQUEST", outcome="NOT_SENT")], ()),
    "create-unknown": looked_up([UNKNOWN], outcome("UNKNOWN"), watch=(PAID, PAID)),
    "create-unreadable": looked_up([error("INTERNAL", "UPSTREAM_MALFORMED", outcome="UNKNOWN")],
                                   outcome("EXECUTED", sessionId="s1")),
    "create-unknown-rejected": looked_up(
        [UNKNOWN], outcome("UNKNOWN"), outcome("REJECTED", reason="UPSTREAM_REFUSED"),
        watch=([error("FAILED_PRECONDITION", "UPSTREAM_CONFLICT")],)),
    "create-too-large": looked_up([error("RESOURCE_EXHAUSTED")], again(NOT_FOUND), timing=QUICK,
                                  watch=(again(SILENT),)),
    "create-never-arrives": looked_up([again(error("UNAVAILABLE"))], again(NOT_FOUND), timing=QUICK,
                                      watch=(again(error("UNAVAILABLE")),)),
    "create-store": in_the_dark({**NO_STORE, "error": "DATA_LOSS"}),
    "create-lost-then-refused": in_the_dark(RESET, error("INTERNAL", "UPSTREAM_CREDENTIALS", outcome="NOT_SENT")),
    "create-id-reused": create([error("INVALID_ARGUMENT", "REQUEST_ID_REUSED", outcome="NOT_SENT")], ()),
    "create-not-allowed": looked_up([FORBIDDEN], FORBIDDEN, watch=([FORBIDDEN],)),
    "create-resumed": create([{"ok": {**made()["ok"], "replayed": True}}], resumed=True),
    "watch-reset": watch([[step("CREATED"), RESET], [RESET], PAID]),
    "watch-draining": watch([[step("CREATED"), DRAINING], PAID]),
    "watch-silent": watch([[step("CREATED"), SILENT], [SILENT], PAID], timing={"heartbeat": 0.2}),
    "watch-limit": watch([[LIMIT], PAID], gap=0.15),
    "watch-declined": watch([[step("CREATED"), step("ACTIVE", failureReason="declined"), *PAID]],
                            steps=["CREATED", "ACTIVE", "CREATED", "FINALIZED"]),
    "watch-cancelled": watch([[step("CREATED"), step("CANCELLED"), END]]),
    "watch-expired": watch([[step("CREATED"), step("EXPIRED"), END]]),
    "watch-not-allowed": watch([[FORBIDDEN]]),
    "stop-cancels": watch([[step("CREATED"), SILENT]], script={"CancelSession": [CANCELLED]}, **STOPPED),
    "stop-too-late": watch([[step("CREATED"), SILENT]], **STOPPED, script={"CancelSession": [
        error("FAILED_PRECONDITION", "SESSION_ALREADY_FINALIZED", metadata={"order_id": "o1"})]}),
    "stop-cancel-reset": watch([[step("CREATED"), SILENT]], **STOPPED, script={"CancelSession": [RESET, CANCELLED]}),
    "stop-leaves": watch([[step("CREATED"), SILENT]], then=STOPPED["then"], on_stop="LEAVE_SESSION"),
    "payment-timeout": watch([[step("CREATED"), SILENT]], timeout=0.5, on_stop="LEAVE_SESSION"),
}
