"""Whether a document can be committed: every problem at once, each with its path, the value, and how to mend it.

Judges a `Config` that could be decoded. Reads no file, asks no DNS, opens no port: the same document gives the same
answer everywhere, but for the clock, which certificates are held against.
"""

from __future__ import annotations

from datetime import UTC, datetime

from gatepost.config.checks import access, certificates, common, delivery, listeners, numbers, profiles, served
from gatepost.config.model import Config
from gatepost.config.problems import Problem, Report, errors, warnings

__all__ = ["Problem", "check", "errors", "warnings"]


def check(config: Config, now: float | None = None, *, in_force: Config | None = None) -> list[Problem]:
    """Return all that is wrong with a document, errors first; `now` stands for the clock (seconds since 1970).

    `in_force`: the document that this one is to replace. What time alone has made wrong in both is a warning: to refuse
    the change would mend nothing and hold up what may be urgent.
    """
    moment = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
    report = Report()
    common.check_names(config, report)
    common.check_texts(config, report)
    numbers.check_numbers(config, report)
    delivery.check_gateway(config, report)
    certificates.check_certificates(config, report, moment, in_force)
    profiles.check_profiles(config, report)
    delivery.check_address_lists(config, report)
    listeners.check_listeners(config, report)
    served.check_served(config, report)
    access.check_access(config, report)
    delivery.check_destinations(config, report)
    delivery.check_routes(config, report)
    return errors(report.problems) + warnings(report.problems)
