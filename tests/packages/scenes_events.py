"""How each rule of the event log is played. `asked`: what each stream begins with; `seen`: the events that the handler
was given; `settled`: each settlement that was answered, by lease."""
from scene_words import (DRAINING, END, FORBIDDEN, FREEZE, GOODBYE, LIMIT, RESET, SILENT, again, error, event, goodbye,
                         heartbeat, leased, receiving, results, started, until)

BEAT = {"heartbeat": 0.2}
OLDEST = {"position": "START_POSITION_FROM_OLDEST"}


def after(place):
    return {"afterCursor": place}


def follow(*streams, **more):
    return {"do": "follow", "rpc": "SubscribeSessionEvents", "request": OLDEST, "take": 3, "seen": ["e1", "e2", "e3"],
            "cursor": "after-e3", "script": {"SubscribeSessionEvents": list(streams)}, **more}


BEGIN, REST = [started(), event("e1")], [started("after-e1"), event("e2"), event("e3"), SILENT]
AS_ALWAYS = [OLDEST, after("after-e1")]


def while_handled(what):
    """Done to the connection while the handler has the first event: that one has arrived."""
    return [{"handling": "e1"}, {"way": what}]


def refused(answer, **more):
    return follow([answer], request=after("old"), seen=[], cursor="old", **more)


FOLLOW = {
    "follow-reset": follow([*BEGIN, SILENT], [RESET], REST, asked=[*AS_ALWAYS, after("after-e1")], then=while_handled("cut")),
    "follow-draining": follow([*BEGIN, goodbye("after-goodbye"), DRAINING], REST,
                              asked=[OLDEST, after("after-goodbye")]),
    "follow-ended": follow([*BEGIN, END], REST, asked=AS_ALWAYS),
    "follow-internal": follow([*BEGIN, error("INTERNAL", "INTERNAL")], REST, asked=AS_ALWAYS),
    "follow-silent": follow([*BEGIN, SILENT], [SILENT], REST, asked=[*AS_ALWAYS, after("after-e1")], timing=BEAT),
    "follow-frozen": follow([*BEGIN, SILENT], REST, asked=AS_ALWAYS, then=while_handled("freeze")),
    "follow-limit": follow([LIMIT], [*BEGIN, LIMIT], REST, asked=[OLDEST, *AS_ALWAYS], gap=0.15),
    "follow-heartbeat": follow([*BEGIN, heartbeat("far"), DRAINING], REST, asked=[OLDEST, after("far")]),
    "follow-slow": follow([*BEGIN, *REST[1:]], timing=BEAT, slow_ms={"e2": 900}),
    "follow-handler-fails": follow([*BEGIN, *REST[1:]], fail_at="e2", seen=["e1", "e2"], cursor="after-e1"),
    "follow-expired": refused(error("OUT_OF_RANGE", "CURSOR_EXPIRED")),
    "follow-skipped": follow([started("oldest", skipped=True), event("e1"), event("e2"), event("e3"), SILENT],
                             request={**after("old"),
                                      "onCursorExpired": "CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST"}),
    "follow-foreign": refused(error("INVALID_ARGUMENT", "CURSOR_FOREIGN")),
    "follow-not-allowed": refused(FORBIDDEN),
    "place-kept": follow([*BEGIN, SILENT], REST, asked=AS_ALWAYS, place=True, kept=["e1", "e2", "e3"],
                         then=while_handled("cut")),
    "place-rolled-back": follow([*BEGIN, *REST[1:]], place=True, fail_at="e2", seen=["e1", "e2"], kept=["e1"],
                                cursor="after-e1"),
}


RIGHT = again(results("RIGHT"))  # SETTLED, or EXTENDED
STOP = {"do": "stop"}


def settled(*names):
    return [{"settled": f"lease-{name}"} for name in names] + [STOP]


def consume(*streams, rpc="ReceiveSessionEvents", settle=(RIGHT,), handle="return", then=None, **more):
    """`then`: what is done to the program once it has begun."""
    scene = {"do": "consume", "rpc": rpc, "handle": {"e1": handle, "e2": "return"}, "seen": ["e1"], **more}
    scene["script"] = {"ReceiveSessionEvents": list(streams), "SettleSessionEvents": list(settle),
                       **more.get("script", {})}
    scene["then"] = settled("e1") if then is None else then
    return scene


def one(lease="30s", **more):
    return consume([receiving(lease), leased("e1"), SILENT], **more)


def lost(**more):
    return one(settled={}, lost=["e1"], then=[{"lost": "e1"}, STOP], **more)


def ends(answer):
    return consume([answer], seen=[], then=[])


def made(answers, **more):
    return one(rpc="CreateSharedSubscription", make=True, script={"CreateSharedSubscription": answers}, **more)


DONE = {"lease-e1": "acknowledge"}
BOTH = {"seen": ["e1", "e2"], "settled": {**DONE, "lease-e2": "acknowledge"}}
SECOND = [receiving(), leased("e2"), SILENT]
LOSES = again(results("LEASE_LOST"))


def broken(*end, **more):
    return consume([receiving(), leased("e1"), until("SettleSessionEvents"), *end], SECOND, then=settled("e1", "e2"),
                   **BOTH, **more)


CONSUME = {
    "consume-done": one(settled=DONE),
    "consume-retry": one(handle="retry", settled={"lease-e1": "retry"}, delay="7s"),
    "consume-park": one(handle="park", settled={"lease-e1": "park"}, reason="no such order"),
    "consume-throws": one(handle="throw", settled={"lease-e1": "retry"}, no_secret="hunter2"),
    "consume-long": one("2s", handle="hold", settled=DONE, then=[
        {"extended": "lease-e1", "times": 3}, {"do": "go"}, *settled("e1")]),
    "consume-lost": lost(lease="0.9s", handle="until_lost", settle=[LOSES]),
    "consume-lost-check": lost(handle="check", settle=[LOSES]),
    "consume-lost-at-end": lost(settle=[LOSES]),
    "settle-reset": consume([receiving(), leased("e1"), SILENT], [receiving(), SILENT], rpc="SettleSessionEvents",
                            settle=[RESET, results("ALREADY_SETTLED")], settled=DONE),
    "settle-busy": one(rpc="SettleSessionEvents", settled=DONE, gap=0.15, settle=[
        error("RESOURCE_EXHAUSTED", "CALLER_LIMIT", retry_ms=150), RIGHT]),
    "settle-never": lost(lease="0.9s", rpc="SettleSessionEvents", settle=[again(error("UNAVAILABLE"))]),
    "receive-reset": consume([receiving(), leased("e1"), SILENT], SECOND, handle="hold", **BOTH, then=[
        {"handling": "e1"}, {"way": "cut"}, {"settled": "lease-e2"}, {"do": "go"}, *settled("e1")]),
    "receive-draining": broken(GOODBYE, DRAINING),
    "receive-silent": broken(SILENT, timing=BEAT),
    "receive-frozen": broken(FREEZE),
    "receive-limit": consume([LIMIT], [receiving(), leased("e1"), SILENT], settled=DONE, gap=0.15),
    "receive-deleted": ends(error("NOT_FOUND", "SUBSCRIPTION_NOT_FOUND")),
    "receive-expired": ends(error("OUT_OF_RANGE", "CURSOR_EXPIRED")),
    "make-differs": made([error("ALREADY_EXISTS", "SUBSCRIPTION_EXISTS")], seen=[], then=[]),
    "make-reset": made([RESET, {"ok": {}}], settled=DONE),
    "stop-releases": consume([receiving("2s"), leased("e1"), leased("e2"), SILENT], parallel=1, handle="hold",
                             settled={**DONE, "lease-e2": "release"}, then=[
                                 {"handling": "e1"}, {"extended": "lease-e2"}, STOP, {"settled": "lease-e2"},
                                 {"do": "go"}]),
}
SCENES = {**FOLLOW, **CONSUME}
