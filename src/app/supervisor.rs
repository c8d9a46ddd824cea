//! `berth supervise`: binds what the agent listens on, and keeps it while agents come and go.
//!
//! **Invariant.** A socket that was handed to this process is kept as it is. The admin socket's file is removed at the
//! end only if it was made here.

use std::ffi::OsString;
use std::path::PathBuf;

use async_trait::async_trait;
use tracing::{info, warn};

use super::error::AppError;
use super::handed::{HandedOver, listeners};
use super::place::data_dir_of;
use crate::api::UnixServer;
use crate::config::{Config, source};
use crate::error::ErrorChain;
use crate::platform::{KeptSocket, Listening, listen_ahead, private_directory};
use crate::supervise::parent::{Parent, ParentConfig, Sockets};
use crate::supervise::plan::handed::{Place, Wanted};

/// Runs agents with these arguments until a signal asks for the end; gives the exit code.
///
/// # Errors
/// This system has no such parent, or the program cannot be opened.
pub async fn run(config: &Config, program: PathBuf, args: Vec<OsString>) -> Result<u8, AppError> {
    let data_dir = data_dir_of(config);
    // The admin socket lies there as a rule. What is wrong with it the agent says.
    if let Err(error) = private_directory(&data_dir) {
        warn!(event = "data-directory-unusable", %error, path = %data_dir.display(), "the data directory cannot be made");
    }
    let sockets = Kept {
        wanted: listeners(config),
        sockets: HandedOver::take(config).kept(),
        made: None,
    };
    let settings = ParentConfig {
        program,
        args,
        parent_variable: source::PARENT,
        ready_limit: config.upgrade_wait,
    };
    let parent = Parent::new(settings, sockets).map_err(AppError::Supervise)?;
    Ok(parent.run().await)
}

/// The sockets.
struct Kept {
    wanted: Vec<Wanted>,
    sockets: Vec<KeptSocket>,
    /// File of the admin socket, if it was made here.
    made: Option<PathBuf>,
}

impl Kept {
    async fn bind(&mut self, wanted: &Wanted) -> Result<Listening, String> {
        match &wanted.place {
            Place::Tcp(address) => {
                let bound = listen_ahead(*address).map_err(|error| error.to_string())?;
                Ok(Listening::Tcp(bound))
            }
            Place::Unix(path) => {
                let bound = UnixServer::bind(path).await;
                let bound = bound.map_err(|error| ErrorChain(&error).to_string())?;
                self.made = Some(path.clone());
                let bound = bound.into_listener().map_err(|error| error.to_string())?;
                Ok(Listening::Unix(bound))
            }
            Place::Nowhere => Err("it listens nowhere".to_owned()),
        }
    }
}

#[async_trait]
impl Sockets for Kept {
    async fn all(&mut self) -> &[KeptSocket] {
        let missing: Vec<Wanted> = self
            .wanted
            .iter()
            .filter(|wanted| self.sockets.iter().all(|kept| kept.name != wanted.name))
            .cloned()
            .collect();
        for wanted in missing {
            let name = wanted.name;
            match self.bind(&wanted).await {
                Ok(socket) => {
                    info!(
                        event = "socket-kept",
                        listener = name,
                        "the socket is kept here"
                    );
                    self.sockets.push(KeptSocket { name, socket });
                }
                Err(error) => {
                    warn!(
                        event = "socket-not-kept",
                        listener = name,
                        error,
                        "the socket cannot be kept here; the agent tries it"
                    );
                }
            }
        }
        &self.sockets
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(path) = &self.made
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::debug!(%error, "the admin socket was gone already");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &'static str, place: Place) -> Wanted {
        Wanted { name, place }
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_tried_again_at_the_next_start_and_the_file_goes_with_its_maker()
    {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        let mut kept = Kept {
            wanted: vec![
                wanted("a", Place::Tcp(address)),
                wanted("b", Place::Unix(path.clone())),
            ],
            sockets: Vec::new(),
            made: None,
        };
        let names = |kept: &[KeptSocket]| kept.iter().map(|kept| kept.name).collect::<Vec<_>>();
        assert_eq!(names(kept.all().await), ["b"]);
        drop(taken);
        assert_eq!(names(kept.all().await), ["b", "a"]);
        assert!(path.exists());
        // It listens although nobody serves: whoever asks waits.
        std::net::TcpStream::connect(address).expect("a connection");
        drop(kept);
        assert!(!path.exists());
    }
}
