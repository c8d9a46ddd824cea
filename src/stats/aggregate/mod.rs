//! From readings to rates, totals and history. Pure: a reading and the time go in, figures come out.
//!
//! **Invariants.** Totals never fall, whatever restarts. A rate is never made of readings of two runs. Memory is
//! bounded: see [`history`].

pub mod rates;

pub mod totals;

pub mod history;

pub mod book;

pub mod hours;

pub use book::Book;
pub use history::{History, Point};
pub use hours::Hours;
pub use rates::Rates;
pub use totals::Totals;

#[cfg(test)]
mod tests;
