"""The processes: master, workers, the control socket between them, the limits ledger."""
