//! Listening for programs of this host: on Unix the file, its mode, what is in the way; everywhere the end.

use std::path::Path;

use axum::Router;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::local::LocalServer;
use crate::platform::local::{connect_local, test_address};

async fn ask(path: &Path) -> String {
    let stream = connect_local(path).await.expect("a connection");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("a handshake");
    let request = axum::http::Request::builder()
        .uri("/")
        .header("host", "berth");
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let asking = async {
        let response = sender.send_request(request).await.expect("a response");
        let body = response.into_body().collect().await.expect("a body");
        drop(sender);
        String::from_utf8(body.to_bytes().to_vec()).expect("text")
    };
    let (text, _) = tokio::join!(asking, connection);
    text
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn one_program_after_the_other_is_answered() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = test_address(directory.path(), "berth.sock");
    let server = LocalServer::bind(&path).await.expect("an address");
    let shutdown = CancellationToken::new();
    let asking = async {
        for _ in 0..3 {
            assert_eq!(ask(&path).await, "hello");
        }
        let together = std::iter::repeat_with(|| ask(&path)).take(100);
        let answers = futures_util::future::join_all(together).await;
        assert!(answers.iter().all(|answer| answer == "hello"));
        shutdown.cancel();
    };
    tokio::join!(server.run(hello(), shutdown.clone()), asking);
    // Windows takes an instance away that somebody waited on when it has told the waiter.
    let gone = async {
        loop {
            match connect_local(&path).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error.kind(),
            }
        }
    };
    let gone = tokio::time::timeout(std::time::Duration::from_mins(1), gone);
    assert_eq!(gone.await, Ok(std::io::ErrorKind::NotFound));
}

#[tokio::test]
async fn who_is_answered_before_its_body_was_read_may_send_it_to_its_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = test_address(directory.path(), "berth.sock");
    let server = LocalServer::bind(&path).await.expect("an address");
    let shutdown = CancellationToken::new();
    let asking = async {
        let mut stream = connect_local(&path).await.expect("a connection");
        let head = b"GET / HTTP/1.1\r\nHost: berth\r\nContent-Length: 1000000\r\n\r\n";
        stream.write_all(head).await.expect("taken");
        let mut answer = vec![0; 1024];
        let length = stream.read(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(answer.contains("connection: close"), "{answer}");
        stream
            .write_all(&vec![b'x'; 1_000_000])
            .await
            .expect("taken");
        shutdown.cancel();
    };
    tokio::join!(server.run(hello(), shutdown.clone()), asking);
}

#[tokio::test]
async fn shutdown_waits_for_a_request_under_way() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = test_address(directory.path(), "berth.sock");
    let server = LocalServer::bind(&path).await.expect("an address");
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    let slow = move || {
        let token = token.clone();
        async move {
            token.cancel();
            tokio::task::yield_now().await;
            "finished"
        }
    };
    let router = Router::new().route("/", get(slow));
    let (text, ()) = tokio::join!(ask(&path), server.run(router, shutdown));
    assert_eq!(text, "finished");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use tokio::net::UnixStream;

    use super::*;
    use crate::api::serve_local;
    use crate::platform::local::LocalBindError;

    #[tokio::test]
    async fn serves_with_mode_0660_in_a_new_directory_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("run/berth.sock");
        let server = LocalServer::bind(&path).await.expect("a socket");
        let mode = std::fs::metadata(&path)
            .expect("a socket")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o660);
        let shutdown = CancellationToken::new();
        let asking = async {
            assert_eq!(ask(&path).await, "hello");
            shutdown.cancel();
        };
        tokio::join!(server.run(hello(), shutdown.clone()), asking);
        let left = std::fs::read_dir(path.parent().expect("a directory")).expect("a directory");
        assert_eq!(left.count(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_nobody_answers_on_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("berth.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        let shutdown = CancellationToken::new();
        let asking = async {
            while UnixStream::connect(&path).await.is_err() {
                tokio::task::yield_now().await;
            }
            assert_eq!(ask(&path).await, "hello");
            shutdown.cancel();
        };
        let (served, ()) = tokio::join!(serve_local(&path, hello(), shutdown.clone()), asking);
        served.expect("served");
    }

    #[tokio::test]
    async fn what_belongs_to_others_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("berth.sock");
        let _theirs = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        let taken = LocalServer::bind(&socket).await.expect_err("taken");
        assert!(matches!(taken, LocalBindError::InUse(_)), "{taken}");
        let file = directory.path().join("file");
        std::fs::write(&file, "precious").expect("a file");
        let taken = LocalServer::bind(&file).await.expect_err("taken");
        assert!(matches!(taken, LocalBindError::NotASocket(_)), "{taken}");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), "precious");
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_is_refused_with_its_name() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("file"), "").expect("a file");
        for (path, words) in [
            (Path::new("/").to_owned(), "/ is not a path of a file"),
            (
                directory.path().join("file/berth.sock"),
                "cannot make the directory",
            ),
            (directory.path().join("x".repeat(200)), "cannot bind"),
        ] {
            let error = LocalServer::bind(&path).await.expect_err("refused");
            assert!(error.to_string().starts_with(words), "{error}");
        }
    }
}
