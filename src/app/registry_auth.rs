//! Reads `ECS_ENGINE_AUTH_DATA`: registry logins in the two forms of ECS agents. Pure.
//!
//! **Invariant.** No text of it goes into an error or a log line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::config::sections::RegistryAuthText;
use crate::domain::registry::RegistryLogin;

/// The logins. What is not a login is left out; a text that is no JSON gives none.
pub(super) fn logins(text: &RegistryAuthText) -> Vec<RegistryLogin> {
    let Ok(Value::Object(mut entries)) = serde_json::from_str(&text.data) else {
        tracing::warn!(
            event = "registry-auth-unreadable",
            "ECS_ENGINE_AUTH_DATA is not a JSON object; pulls are anonymous"
        );
        return Vec::new();
    };
    // Docker's own newer file keeps the entries one level below.
    if let Some(Value::Object(inner)) = entries.remove("auths") {
        entries = inner;
    }
    let read = match text.form {
        "dockercfg" => encoded,
        _ => plain,
    };
    entries
        .into_iter()
        .filter_map(|(registry, entry)| {
            let (username, password) = read(&entry)?;
            Some(RegistryLogin {
                server: bare(&registry).to_owned(),
                username,
                password: password.into(),
            })
        })
        .collect()
}

/// Without scheme and trailing `/`.
fn bare(key: &str) -> &str {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    key.trim_end_matches('/')
}

/// `{"username": …, "password": …}`.
fn plain(entry: &Value) -> Option<(String, String)> {
    let text = |name: &str| Some(entry.get(name)?.as_str()?.to_owned());
    Some((text("username")?, text("password")?))
}

/// `{"auth": "<base64 of user:password>"}`.
fn encoded(entry: &Value) -> Option<(String, String)> {
    let bytes = STANDARD.decode(entry.get("auth")?.as_str()?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    // The reference agent's library pads with NUL.
    let password = password.trim_end_matches('\0');
    Some((username.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &'static str, data: &str) -> Vec<(String, String, String)> {
        let text = RegistryAuthText {
            form,
            data: data.to_owned(),
        };
        logins(&text)
            .into_iter()
            .map(|login| {
                let password = login.password.expose().clone();
                (login.server, login.username, password)
            })
            .collect()
    }

    #[test]
    fn both_forms_give_logins_and_what_is_none_is_left_out() {
        let login = |registry: &str| (registry.to_owned(), "u".to_owned(), "p:q".to_owned());
        for key in ["r.test", "https://r.test/", "http://r.test"] {
            let data = format!(
                r#"{{"{key}": {{"username": "u", "password": "p:q"}}, "bad": {{"username": "u"}}}}"#
            );
            assert_eq!(read("docker", &data), [login("r.test")]);
        }
        let auth = STANDARD.encode("u:p:q");
        for data in [
            format!(r#"{{"r.test": {{"auth": "{auth}"}}, "bad": {{"auth": "%"}}}}"#),
            format!(r#"{{"auths": {{"r.test": {{"auth": "{auth}"}}}}}}"#),
        ] {
            assert_eq!(read("dockercfg", &data), [login("r.test")]);
        }
        assert_eq!(read("docker", "nonsense"), []);
    }
}
