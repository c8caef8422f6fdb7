"""Durable mail: what was answered 250 is on disk here until every recipient is settled."""
