//! The rules of the house that a compiler cannot hold, as tests (style X12).
//!
//! Each test reads the sources as text and lists every violation with file and line. The tables that say what is
//! allowed are at the top of their files: a new room, edge or foreign crate is one line there, and a decision.

mod conformance;

mod edges;

mod files;

mod log_lines;

mod modules;

mod source;
