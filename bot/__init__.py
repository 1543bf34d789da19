"""The bot: hears what people type, does it, says what came of it."""
