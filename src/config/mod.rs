//! Raw settings to validated values.
