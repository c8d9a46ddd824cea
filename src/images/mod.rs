//! Images: when to pull, how many at once, what to clean up.
