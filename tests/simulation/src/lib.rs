//! The transaction under random faults, from a seed.
