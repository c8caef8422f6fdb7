"""The REST API: the operator's verbs for programs, under /api/v1 of the web console. Translates, and decides nothing."""
