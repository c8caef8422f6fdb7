"""The only code that awaits the network: connections, DNS, HTTPS."""
