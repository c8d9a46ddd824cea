//! Reads `ECS_ENGINE_AUTH_DATA`: registry logins in the two forms of ECS agents. Pure.
//!
//! **Invariant.** No text of it goes into an error or a log line.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::config::sections::RegistryAuthText;
use crate::docker::RegistryLogin;

/// Logins by registry. What is not a login is left out; a text that is no JSON gives none.
pub(super) fn logins(text: &RegistryAuthText) -> BTreeMap<String, RegistryLogin> {
    let Ok(Value::Object(mut entries)) = serde_json::from_str(&text.data) else {
        tracing::warn!(
            event = "registry-auth-unreadable",
            "ECS_ENGINE_AUTH_DATA is not a JSON object; pulls are anonymous"
        );
        return BTreeMap::new();
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
        .filter_map(|(registry, entry)| Some((registry, read(&entry)?)))
        .collect()
}

/// `{"username": …, "password": …}`.
fn plain(entry: &Value) -> Option<RegistryLogin> {
    Some(RegistryLogin {
        username: entry.get("username")?.as_str()?.to_owned(),
        password: entry.get("password")?.as_str()?.to_owned(),
    })
}

/// `{"auth": "<base64 of user:password>"}`.
fn encoded(entry: &Value) -> Option<RegistryLogin> {
    let bytes = STANDARD.decode(entry.get("auth")?.as_str()?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(RegistryLogin {
        username: username.to_owned(),
        // The reference agent's library pads with NUL.
        password: password.trim_end_matches('\0').to_owned(),
    })
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
            .map(|(registry, login)| (registry, login.username, login.password))
            .collect()
    }

    #[test]
    fn both_forms_give_logins_and_what_is_none_is_left_out() {
        let login = |registry: &str| (registry.to_owned(), "u".to_owned(), "p:q".to_owned());
        let data = r#"{"r.test": {"username": "u", "password": "p:q"}, "bad": {"username": "u"}}"#;
        assert_eq!(read("docker", data), [login("r.test")]);
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
