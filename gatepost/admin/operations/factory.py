"""The mail flow policies that a new listener begins with, under the names that the appliance's administrators know.

Their limits are those of the appliance's own table; what a policy does not set comes from the Default Policy Parameters.
"""

from __future__ import annotations

from typing import Literal

from gatepost.config.model import UNLIMITED, MailFlowPolicy


def policies(type: Literal["public", "private"]) -> dict[str, MailFlowPolicy]:
    """Return the policies of a new listener of this type."""
    blocked = MailFlowPolicy(behavior="reject")
    if type == "private":
        return {"RELAYED": MailFlowPolicy(behavior="relay", max_recipients_per_hour=UNLIMITED), "BLOCKED": blocked}
    throttled = MailFlowPolicy(
        max_messages_per_connection=10,
        max_recipients_per_message=20,
        max_message_size="1M",
        max_connections_per_host=10,
        max_recipients_per_hour=20,
    )
    trusted = MailFlowPolicy(
        max_messages_per_connection=5000,
        max_recipients_per_message=5000,
        max_message_size="100M",
        max_connections_per_host=600,
        max_recipients_per_hour=UNLIMITED,
    )
    return {"ACCEPTED": MailFlowPolicy(), "TRUSTED": trusted, "THROTTLED": throttled, "BLOCKED": blocked}
