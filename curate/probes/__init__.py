"""Evidence: small, cheap trainings that say what rows are worth, each beside a control drawn at random."""
