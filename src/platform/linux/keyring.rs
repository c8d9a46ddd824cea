//! A key that the kernel keeps for this user: it outlives the process and not the host.
//!
//! **Invariant.** One call, one thread: what a thread may do with a key hangs on the keyrings that it has.

use std::io;

use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};
use zeroize::Zeroizing;

use crate::domain::secret::Secret;
use crate::platform::{KEY_BYTES, KeptKey};

/// The key of that name, which is `fresh` from now on if there was none.
///
/// # Errors
/// The kernel has no keyrings, or does not let this process use them.
pub fn kept_key(name: &str, fresh: &Secret<[u8; KEY_BYTES]>) -> io::Result<KeptKey> {
    with_keyring(|user| {
        let found = match user.search(name) {
            Ok(key) => Some(Zeroizing::new(key.read_to_vec()?)),
            Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => None,
            Err(error) => return Err(error),
        };
        let bytes = found.and_then(|found| <[u8; KEY_BYTES]>::try_from(found.as_slice()).ok());
        if let Some(bytes) = bytes {
            return Ok(KeptKey {
                bytes: Secret::new(bytes),
                found: true,
            });
        }
        user.add_key(name, fresh.expose())?;
        Ok(KeptKey {
            bytes: fresh.clone(),
            found: false,
        })
    })
}

/// There is no key of that name any more.
///
/// # Errors
/// As of [`kept_key`].
pub fn forget_key(name: &str) -> io::Result<()> {
    with_keyring(|user| match user.search(name) {
        Ok(key) => key.invalidate(),
        // One that was forgotten is found for a moment longer.
        Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => Ok(()),
        Err(error) => Err(error),
    })
}

/// Works on the user's keyring.
fn with_keyring<T>(work: impl FnOnce(KeyRing) -> Result<T, KeyError>) -> io::Result<T> {
    reach(work).map_err(|error| io::Error::other(format!("the kernel's keyring: {error}")))
}

/// Keys of the user's keyring may be read by who possesses them, that is by a thread that has the keyring in one of its
/// own; a service has it in none.
fn reach<T>(work: impl FnOnce(KeyRing) -> Result<T, KeyError>) -> Result<T, KeyError> {
    let user = KeyRing::from_special_id(KeyRingIdentifier::User, true)?;
    let own = KeyRing::from_special_id(KeyRingIdentifier::Thread, true)?;
    own.link_keyring(user)?;
    let done = work(user);
    own.unlink_keyring(user)?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_there_for_other_threads_until_it_is_forgotten() {
        let name = format!("berth-test:{:016x}", rand::random::<u64>());
        let key = |byte| Secret::new([byte; KEY_BYTES]);
        let first = match kept_key(&name, &key(1)) {
            Ok(first) => first,
            Err(error) => {
                crate::testing::skip::skipped(error);
                return;
            }
        };
        assert!(!first.found && first.bytes == key(1));
        let other = name.clone();
        let again = std::thread::spawn(move || kept_key(&other, &key(2)).unwrap());
        let again = again.join().unwrap();
        assert!(again.found && again.bytes == key(1));
        forget_key(&name).unwrap();
        forget_key(&name).unwrap();
        let anew = kept_key(&name, &key(3)).unwrap();
        assert!(!anew.found && anew.bytes == key(3));
        forget_key(&name).unwrap();
    }
}
