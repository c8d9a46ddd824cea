//! How many files and sockets this process may have open.
//!
//! Each connection is one, and so is each question to the kernel about who connects: where the limit is the 1,024 that
//! shells and old service managers give, a few hundred callers would use it up.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets this process, and what it starts, have as many as it may give itself. A system that does not let it leaves what
/// there was, which is no reason to do without an agent.
pub fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _kept = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_may_have_as_many_as_it_may_give_itself() {
        let (_, before) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        raise_open_files();
        let limits = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(limits, (before, before));
    }
}
