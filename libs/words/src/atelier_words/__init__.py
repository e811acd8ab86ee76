"""Words that learners and guardians read. Pure functions on text; the kernel knows no word of schools, so they live here."""
