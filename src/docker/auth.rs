//! Which login goes with an image, by the reference agent's matching rules. Pure.
//!
//! Not here: logins that come per container (ECR, Secrets Manager); they would be passed in beside the image.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::json;

use crate::domain::image::ImageRef;

/// Key under which Docker Hub's login is kept, without trailing `/`.
const HUB_KEY: &str = "index.docker.io/v1";

/// Names of Docker Hub in image references.
const HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// A registry login.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryLogin {
    /// User name.
    pub username: String,
    /// Password or token; never printed.
    pub password: String,
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryLogin")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The `X-Registry-Auth` header for an image; `None` = anonymous.
pub(super) fn header(image: &ImageRef, logins: &BTreeMap<String, RegistryLogin>) -> Option<String> {
    let (server, login) = login_for(image, logins)?;
    let text = json!({
        "username": login.username,
        "password": login.password,
        "serveraddress": server,
    });
    // Docker reads the URL-safe alphabet only; with the other one some passwords silently become no login at all.
    Some(URL_SAFE.encode(text.to_string()))
}

/// Docker Hub's login for images of Docker Hub; otherwise the longest key that is the registry or a path prefix of
/// the image's name.
fn login_for<'a>(
    image: &ImageRef,
    logins: &'a BTreeMap<String, RegistryLogin>,
) -> Option<(&'a str, &'a RegistryLogin)> {
    let keyed = logins.iter().map(|(key, login)| (bare(key), login));
    if image
        .registry_host()
        .is_none_or(|host| HUB_HOSTS.contains(&host))
    {
        return keyed.into_iter().find(|(key, _)| *key == HUB_KEY);
    }
    keyed
        .filter(|(key, _)| is_path_prefix(key, image.repository()))
        .max_by_key(|(key, _)| key.len())
}

fn bare(key: &str) -> &str {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    key.trim_end_matches('/')
}

/// Whole components only: `reg.example/team` is no prefix of `reg.example/teams/app`.
fn is_path_prefix(prefix: &str, name: &str) -> bool {
    !prefix.is_empty()
        && name
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(keys: &[&str]) -> BTreeMap<String, RegistryLogin> {
        keys.iter()
            .map(|&key| {
                let login = RegistryLogin {
                    username: key.to_owned(),
                    password: "p".to_owned(),
                };
                (key.to_owned(), login)
            })
            .collect()
    }

    #[test]
    fn the_longest_matching_key_wins() {
        let keys = [
            "https://index.docker.io/v1/",
            "reg.example",
            "http://reg.example/team",
            "reg.example/team/app/",
            "other.example:5000",
        ];
        for (image, expected) in [
            ("busybox", Some(keys[0])),
            ("team/app", Some(keys[0])),
            ("docker.io/library/busybox:1", Some(keys[0])),
            ("registry-1.docker.io/a/b", Some(keys[0])),
            ("reg.example/x", Some(keys[1])),
            ("reg.example/teams/app", Some(keys[1])),
            ("reg.example/team/other", Some(keys[2])),
            ("reg.example/team/app:2", Some(keys[3])),
            ("other.example:5000/x", Some(keys[4])),
            ("other.example/x", None),
            ("reg.example.org/x", None),
        ] {
            let logins = logins(&keys);
            let found = login_for(&ImageRef::parse(image).unwrap(), &logins);
            let user = found.map(|(_, login)| login.username.as_str());
            assert_eq!(user, expected, "{image}");
        }
    }

    #[test]
    fn hub_images_are_anonymous_without_a_hub_login() {
        let image = ImageRef::parse("busybox").unwrap();
        assert_eq!(header(&image, &logins(&["reg.example"])), None);
    }

    #[test]
    fn the_header_uses_the_url_safe_alphabet() {
        let mut logins = logins(&["reg.example"]);
        let login = logins.get_mut("reg.example").unwrap();
        login.password = "\u{3f}\u{3e}~~~>>>???".to_owned();
        let header = header(&ImageRef::parse("reg.example/x").unwrap(), &logins).unwrap();
        assert!(!header.contains(['+', '/']), "{header}");
        let text = String::from_utf8(URL_SAFE.decode(header).unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"username":"reg.example","password":"?>~~~>>>???","serveraddress":"reg.example"}"#
        );
    }

    #[test]
    fn passwords_are_not_printed() {
        let text = format!("{:?}", logins(&["k"]));
        assert_eq!(text, r#"{"k": RegistryLogin { username: "k", .. }}"#);
    }
}
