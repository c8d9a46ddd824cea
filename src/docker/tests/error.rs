//! Docker's and registries' real texts, and the kind that each means.
//!
//! A row's text begins with the status code that came with it; 000 = inside a stream, without one.

use std::io;
use std::time::Duration;

use bollard::errors::Error;

use super::super::endpoint::{self, Endpoint};
use super::super::error::{Area, asks_for_negotiation, kind_of, silent, translate};
use crate::boundary::ErrorKind;

type Table = &'static [(ErrorKind, &'static [&'static str])];

const ENGINE: Table = &[
    (
        ErrorKind::NotFound,
        &[
            "404 No such container: web",
            "500 No such image: web:1",
            "404 get x: no such volume",
        ],
    ),
    (
        ErrorKind::Invalid,
        &[
            "404 page not found",
            r#"400 OCI runtime create failed: exec: "/x": permission denied: unknown"#,
            r#"500 OCI runtime create failed: exec: "x": executable file not found in $PATH: unknown"#,
            "400 invalid reference format",
            "400 Minimum memory limit allowed is 6MB",
        ],
    ),
    (
        ErrorKind::Conflict,
        &[
            r#"409 Conflict. The container name "/web" is already in use by container "ab"."#,
            "409 remove x: volume is in use - [ab]",
            "409 removal of container ab is already in progress",
            r#"409 conflict: unable to remove repository reference "b" (must force)"#,
        ],
    ),
    (
        ErrorKind::PortTaken,
        &[
            "500 driver failed programming external connectivity on endpoint web (ab): Bind for 0.0.0.0:80 failed: port is already allocated",
            "500 driver failed programming external connectivity on endpoint web (ab): Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
            "500 failed to set up container networking: failed to bind host port for 0.0.0.0:80:172.17.0.2:80/tcp: address already in use",
            "500 failed to create endpoint web on network nat: hnsCall failed in Win32: The process cannot access the file because it is being used by another process. (0x20).",
        ],
    ),
    (
        ErrorKind::LogDriver,
        &[
            "500 failed to initialize logging driver: dial tcp 127.0.0.1:24224: connect: connection refused",
            "500 failed to create task for container: failed to initialize logging driver: CreateLogStream: AccessDeniedException",
            "400 unknown log opt 'x' for json-file log driver",
            "500 logger: no log driver named 'x' is registered",
        ],
    ),
    (
        ErrorKind::NoSpace,
        &[
            "500 mkdir /var/lib/docker/overlay2/ab: no space left on device",
            "500 There is not enough space on the disk.",
        ],
    ),
    (
        ErrorKind::Transient,
        &[
            "400 client version 1.52 is too new. Maximum supported API version is 1.41",
            "503 ",
            "500 Cannot start container: context deadline exceeded",
            "000 something new",
        ],
    ),
    (ErrorKind::Denied, &["403 authorization denied by plugin x"]),
    (ErrorKind::Throttled, &["429 slow down"]),
];

const REGISTRY: Table = &[
    (
        ErrorKind::Throttled,
        &[
            "500 toomanyrequests: You have reached your pull rate limit.",
            "500 received unexpected HTTP status: 429 Too Many Requests",
        ],
    ),
    (
        ErrorKind::NotFound,
        &[
            "404 manifest for web:9 not found: manifest unknown: manifest unknown",
            "500 manifest unknown",
            "500 name unknown: The repository with name 'web' does not exist in the registry",
            r#"000 failed to resolve reference "docker.io/library/web:9": docker.io/library/web:9: not found"#,
        ],
    ),
    (
        ErrorKind::Denied,
        &[
            "404 pull access denied for web, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            r#"500 Get "https://reg.example/v2/web/manifests/1": no basic auth credentials"#,
            "500 unauthorized: authentication required",
            "000 failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden",
            "000 pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        ],
    ),
    (
        ErrorKind::Invalid,
        &[
            "400 invalid reference format",
            "000 no matching manifest for linux/arm64/v8 in the manifest list entries",
            "000 a Windows version 10.0.26100-based image is incompatible with a 10.0.20348 host",
            "500 a Windows version 10.0.17134-based image can only be run on a 10.0.17763 host using Hyper-V isolation",
        ],
    ),
    (
        ErrorKind::NoSpace,
        &["000 failed to register layer: write /x: no space left on device"],
    ),
    (
        ErrorKind::Transient,
        &[
            r#"500 Get "https://reg.example/v2/": dial tcp: lookup reg.example: no such host"#,
            r#"500 Get "https://reg.example/v2/": dial tcp 192.0.2.1:443: i/o timeout"#,
            r#"500 Get "https://reg.example/v2/": net/http: TLS handshake timeout"#,
            "500 net/http: request canceled while waiting for connection",
            "000 unexpected EOF",
            "500 received unexpected HTTP status: 503 Service Unavailable",
        ],
    ),
];

#[test]
fn words_decide_before_the_status_code() {
    for (area, table) in [(Area::Engine, ENGINE), (Area::Registry, REGISTRY)] {
        for (kind, texts) in table {
            for text in *texts {
                let (status, words) = text.split_at(4);
                let status = status.trim().parse().ok().filter(|status| *status != 0);
                assert_eq!(kind_of(area, status, words), *kind, "{area:?} {text}");
            }
        }
    }
}

fn socket() -> Endpoint {
    endpoint::parse(Some("unix:///run/x.sock"), "unix").expect("an endpoint")
}

#[test]
fn errors_keep_dockers_words_and_never_have_none() {
    let answer = |status_code, message: &str| Error::DockerResponseServerError {
        status_code,
        message: message.to_owned(),
    };
    let at = &socket();
    let error = translate("start web", Area::Engine, at, answer(500, "some reason\n"));
    assert_eq!(error.to_string(), "start web: some reason");
    let error = translate("start web", Area::Engine, at, answer(503, ""));
    assert_eq!(
        error.to_string(),
        "start web: Docker answered 503 without a word"
    );
}

#[test]
fn failures_of_the_transport() {
    let io = |kind: io::ErrorKind| Error::IOError { err: kind.into() };
    for (error, kind, renegotiates) in [
        (
            Error::SocketNotFoundError("/x".to_owned()),
            ErrorKind::Unavailable,
            true,
        ),
        (
            io(io::ErrorKind::PermissionDenied),
            ErrorKind::Unavailable,
            true,
        ),
        (
            io(io::ErrorKind::ConnectionReset),
            ErrorKind::Transient,
            true,
        ),
        (
            Error::RequestTimeoutError,
            ErrorKind::DeadlineExceeded,
            false,
        ),
        (Error::APIVersionParseError {}, ErrorKind::Transient, true),
    ] {
        let error = translate("list containers", Area::Engine, &socket(), error);
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(asks_for_negotiation(&error), renegotiates, "{error}");
    }
}

#[test]
fn who_cannot_be_reached_is_named_with_what_to_do() {
    let denied = Error::IOError {
        err: io::ErrorKind::PermissionDenied.into(),
    };
    let absent = Error::SocketNotFoundError("/run/x.sock".to_owned());
    for (error, words) in [
        (
            denied,
            "no permission to use the Docker socket /run/x.sock: run berth as root or",
        ),
        (
            absent,
            "there is no Docker socket /run/x.sock; start the Docker service, or",
        ),
    ] {
        let error = translate("ask", Area::Engine, &socket(), error);
        assert!(error.message.contains(words), "{error}");
    }
    let pipe = Endpoint::Local("npipe:////./pipe/docker_engine".to_owned());
    let denied = Error::IOError {
        err: io::ErrorKind::PermissionDenied.into(),
    };
    assert_eq!(
        translate("ask", Area::Engine, &pipe, denied).message,
        "no permission to use the Docker pipe //./pipe/docker_engine: run berth as SYSTEM or as an administrator"
    );
    let error = silent("ask", &socket(), Duration::from_secs(10));
    assert!(
        error
            .message
            .contains("10 s on the Docker socket /run/x.sock"),
        "{error}"
    );
}
