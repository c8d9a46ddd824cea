//! A login as Docker is told it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::json;

use crate::domain::registry::RegistryLogin;

/// The `X-Registry-Auth` header; `None` = anonymous.
pub(super) fn header(login: Option<&RegistryLogin>) -> Option<String> {
    let login = login?;
    let text = json!({
        "username": login.username,
        "password": login.password.expose(),
        "serveraddress": login.server,
    });
    // Docker reads the URL-safe alphabet only; with the other one some passwords silently become no login at all.
    Some(URL_SAFE.encode(text.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_uses_the_url_safe_alphabet() {
        let login = RegistryLogin {
            server: "reg.example".to_owned(),
            username: "reg.example".to_owned(),
            password: "\u{3f}\u{3e}~~~>>>???".to_owned().into(),
        };
        let header = header(Some(&login)).unwrap();
        assert!(!header.contains(['+', '/']), "{header}");
        let text = String::from_utf8(URL_SAFE.decode(header).unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"username":"reg.example","password":"?>~~~>>>???","serveraddress":"reg.example"}"#
        );
    }
}
