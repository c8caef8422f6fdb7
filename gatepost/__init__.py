"""Gatepost, an SMTP security gateway: it decides how strictly mail is encrypted, and can always say why."""

__version__ = "0.1.0"
