//! Tests of the store on real files.

mod world;

mod basics;
