//! Fakes, builders, contract suites and fuzz entry points.
