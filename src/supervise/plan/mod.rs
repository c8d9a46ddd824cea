//! What is decided about sockets that are handed over and about versions of the agent: pure.

pub mod handed;

pub mod machine;

#[cfg(test)]
mod tests;
