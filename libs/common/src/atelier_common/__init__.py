"""The event kernel of Atelier: one log per service, everything else derived from it. It knows no word of schools."""
