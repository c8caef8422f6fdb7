"""What a document must fulfil, topic by topic; `config.check` calls them all."""
