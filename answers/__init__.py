"""What a question of the template accepts, and the Jinja filter that asks."""
