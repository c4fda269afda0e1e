"""tools/fleet: keep many services up to date with the template."""
