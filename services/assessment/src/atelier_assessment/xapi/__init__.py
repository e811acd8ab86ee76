"""xAPI 1.0.3 and 2.0 as a way in for evidence: statements are checked, read and answered here; nothing is stored here."""
