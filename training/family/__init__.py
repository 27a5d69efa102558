"""The pocket family's own parts: its recipe, its scenes, and what the trainer can't make."""
