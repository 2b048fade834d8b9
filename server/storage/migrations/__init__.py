"""Migrations of the database, in the order of their revisions. Applied ones are never edited."""
