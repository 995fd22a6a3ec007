"""Many requests at once: what they are made of, the workers that send them, the journal, the bar."""
