"""The routes, a module for each family; each names its handlers in HANDLERS."""

from __future__ import annotations

from types import ModuleType

from gatepost.admin.api.routes import (
    certificates,
    configuration,
    documents,
    events,
    explain,
    jobs,
    partner,
    queue,
    records,
    service,
    tls,
    users,
)

MODULES: tuple[ModuleType, ...] = (
    service,
    queue,
    records,
    explain,
    tls,
    configuration,
    documents,
    certificates,
    partner,
    users,
    jobs,
    events,
)
