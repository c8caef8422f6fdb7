"""What happened: mail_logs lines, TLS records, message records, metrics. Written off the hot path; never stops mail."""
