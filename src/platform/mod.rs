//! What differs between operating systems: the only place with `cfg(target_os)`.
