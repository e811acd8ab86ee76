"""A roster on its way into the log: compared, sealed, written as parts, previewed and accepted; applied by a reaction."""
