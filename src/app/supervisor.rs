//! `berth supervise`: binds what the agent listens on, and keeps it while agents come and go.
//!
//! **Invariant.** A socket that was handed to this process is kept as it is. The admin socket's file is removed at the
//! end only if it was made here.

use std::ffi::OsString;
use std::path::PathBuf;

use async_trait::async_trait;
use tracing::{info, warn};

use super::error::AppError;
use super::handed::{HandedOver, TASK_SERVER_ADDRESS, listeners};
use super::place::data_dir_of;
use super::task_lead;
use crate::api::LocalServer;
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
    let handed = HandedOver::take(config);
    let mut settled = config.clone();
    if settled.listen.at_address() {
        // Port 80 is kept where the agent will have to listen there, and nowhere else. The agent says so.
        task_lead::settle(&mut settled, handed.has(TASK_SERVER_ADDRESS)).await;
    }
    let sockets = Kept {
        wanted: listeners(&settled),
        sockets: handed.kept(),
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
                let bound = LocalServer::bind(path).await;
                let bound = bound.map_err(|error| ErrorChain(&error).to_string())?;
                self.made = Some(path.clone());
                let bound = bound.into_kept().map_err(|error| error.to_string())?;
                Ok(Listening::Local(bound))
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

    fn kept(wanted: &[(&'static str, Place)]) -> Kept {
        let wanted = wanted.iter().map(|(name, place)| Wanted {
            name,
            place: place.clone(),
        });
        Kept {
            wanted: wanted.collect(),
            sockets: Vec::new(),
            made: None,
        }
    }

    fn names(kept: &[KeptSocket]) -> Vec<&'static str> {
        kept.iter().map(|kept| kept.name).collect()
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_tried_again_at_the_next_start() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        let free = "127.0.0.1:0".parse().expect("an address");
        let mut kept = kept(&[("a", Place::Tcp(address)), ("b", Place::Tcp(free))]);
        assert_eq!(names(kept.all().await), ["b"]);
        drop(taken);
        assert_eq!(names(kept.all().await), ["b", "a"]);
        // It listens although nobody serves: whoever asks waits.
        std::net::TcpStream::connect(address).expect("a connection");
    }

    // A pipe cannot be kept for others.
    #[cfg(unix)]
    #[tokio::test]
    async fn the_file_of_a_socket_goes_with_its_maker() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let mut kept = kept(&[("a", Place::Unix(path.clone()))]);
        assert_eq!(names(kept.all().await), ["a"]);
        assert!(path.exists());
        drop(kept);
        assert!(!path.exists());
    }
}
