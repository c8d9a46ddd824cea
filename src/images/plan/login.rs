//! Which of the operator's logins goes with an image, by the reference agent's matching rules, and what a login is that
//! is kept in Secrets Manager.

use serde_json::Value;

use crate::domain::image::ImageRef;
use crate::domain::registry::RegistryLogin;
use crate::domain::secret::Secret;

/// Key under which Docker Hub's login is kept, without trailing `/`.
const HUB_KEY: &str = "index.docker.io/v1";

/// Names of Docker Hub in image references.
const HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Docker Hub's login for images of Docker Hub; otherwise the longest name that is the registry or a path prefix of
/// the image's name.
pub fn login_for<'a>(image: &ImageRef, logins: &'a [RegistryLogin]) -> Option<&'a RegistryLogin> {
    if image
        .registry_host()
        .is_none_or(|host| HUB_HOSTS.contains(&host))
    {
        return logins.iter().find(|login| login.server == HUB_KEY);
    }
    logins
        .iter()
        .filter(|login| is_path_prefix(&login.server, image.repository()))
        .max_by_key(|login| login.server.len())
}

/// Whole components only: `reg.example/team` is no prefix of `reg.example/teams/app`.
fn is_path_prefix(prefix: &str, name: &str) -> bool {
    !prefix.is_empty()
        && name
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The server that a login of the image is for.
pub fn server_of(image: &ImageRef) -> String {
    match image.registry_host() {
        Some(host) if !HUB_HOSTS.contains(&host) => host.to_owned(),
        _ => HUB_KEY.to_owned(),
    }
}

/// User name and password of a registry, kept as JSON; the case of the two names does not count.
///
/// # Errors
/// It is something else.
pub fn kept_login(text: &str) -> Result<(String, Secret<String>), &'static str> {
    if text.is_empty() {
        return Err("asm fetching authorization data: empty secrets value");
    }
    let value: Value = serde_json::from_str(text).map_err(
        |_| "asm fetching authorization data: unable to unmarshal secret value, invalid schema",
    )?;
    let members = value.as_object().ok_or(
        "asm fetching authorization data: unable to unmarshal secret value, invalid schema",
    )?;
    let member = |name: &str| {
        let mut named = members
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let text = named.next().and_then(|(_, value)| value.as_str());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let username = member("username")
        .ok_or("asm fetching username: AuthorizationData is malformed, empty field")?;
    let password = member("password")
        .ok_or("asm fetching password: AuthorizationData is malformed, empty field")?;
    Ok((username, password.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(servers: &[&str]) -> Vec<RegistryLogin> {
        let login = |&server: &&str| RegistryLogin {
            server: server.to_owned(),
            username: server.to_owned(),
            password: "p".to_owned().into(),
        };
        servers.iter().map(login).collect()
    }

    #[test]
    fn the_longest_matching_name_wins() {
        let servers = [
            "index.docker.io/v1",
            "reg.example",
            "reg.example/team",
            "reg.example/team/app",
            "other.example:5000",
        ];
        for (image, expected) in [
            ("busybox", Some(servers[0])),
            ("team/app", Some(servers[0])),
            ("docker.io/library/busybox:1", Some(servers[0])),
            ("registry-1.docker.io/a/b", Some(servers[0])),
            ("reg.example/x", Some(servers[1])),
            ("reg.example/teams/app", Some(servers[1])),
            ("reg.example/team/other", Some(servers[2])),
            ("reg.example/team/app:2", Some(servers[3])),
            ("other.example:5000/x", Some(servers[4])),
            ("other.example/x", None),
            ("reg.example.org/x", None),
        ] {
            let logins = logins(&servers);
            let found = login_for(&ImageRef::parse(image).unwrap(), &logins);
            let user = found.map(|login| login.username.as_str());
            assert_eq!(user, expected, "{image}");
        }
    }

    #[test]
    fn hub_images_are_anonymous_without_a_hub_login() {
        let image = ImageRef::parse("busybox").unwrap();
        assert_eq!(login_for(&image, &logins(&["reg.example"])), None);
    }

    #[test]
    fn a_login_of_a_registry_has_two_members() {
        let (user, password) = kept_login(r#"{"Username": "u", "PASSWORD": "p"}"#).unwrap();
        assert_eq!((user.as_str(), password.expose().as_str()), ("u", "p"));
        for (text, says) in [
            ("", "empty secrets value"),
            ("marked", "invalid schema"),
            ("[]", "invalid schema"),
            (r#"{"password": "marked"}"#, "fetching username"),
            (r#"{"username": "u", "password": ""}"#, "fetching password"),
        ] {
            let words = kept_login(text).unwrap_err();
            assert!(words.contains(says) && !words.contains("marked"), "{words}");
        }
    }
}
