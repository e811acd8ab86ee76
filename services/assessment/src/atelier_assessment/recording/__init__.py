"""From a provider's report to a command: pseudonyms for people, competencies for what was named, one identity for each report."""
