"""Mail out: from the spool to the next hop, and what happens when that fails."""
