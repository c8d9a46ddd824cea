//! Cluster query language: the expressions of `placementConstraints` (`memberOf`), judged against this one host.
//!
//! ```text
//! attribute:ecs.os-type == linux and attribute:stack in [prod, test]
//! memberOf(ecs.os-type == 'windows')
//! ```
//!
//! **Invariants.** Never panics and never recurses deeper than a named limit, whatever the text. Only attributes of
//! the host can be judged here: an expression about tasks or instances is an error in words, never quietly true.

mod lexer;

mod parser;

mod evaluate;

pub use lexer::{PlacementError, PlacementErrorKind};
pub use parser::Expression;

#[cfg(test)]
mod tests;
