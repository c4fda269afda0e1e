"""What the tests share: bakes, commands, HTTP as bytes, edits of teams, the table of choices."""
