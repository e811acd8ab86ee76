"""From a site's facts to a problem, from a problem to a proposed plan: everything between the log and the engine."""
