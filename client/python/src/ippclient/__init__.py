"""Client of ipp-gateway: payments that are made once, and events that are not missed.

docs/client-rules.md of the gateway has the rules: what is repeated, for how long, what is raised, what is never assumed.
"""

from .client import Client, stop_on_signals
from .creates import new_request_id
from .delivery import Delivery, Park, Retry
from .errors import GatewayError, LeaseLost, Outcome
from .follow import Follower, Place
from .payment import End, Money, OnStop, Payment
from .timing import Stop, Timing

__all__ = ["Client", "Delivery", "End", "Follower", "GatewayError", "LeaseLost", "Money", "OnStop", "Outcome", "Park",
           "Payment", "Place", "Retry", "Stop", "Timing", "new_request_id", "stop_on_signals"]
