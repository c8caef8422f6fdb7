"""Mail in: the listener, the session that talks to one client, and the limits it is held to."""
