"""Configuration as a value: one document, checked whole, kept in numbered revisions."""
