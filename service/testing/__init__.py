"""A model without weights that obeys the contract of real ones, for tests and simulations."""
