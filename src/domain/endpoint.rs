//! Addresses of services as people write them. Pure.

/// The address with its scheme in small letters; without one it is an address of TLS (reference agent). `None` = it
/// names no host that can be called over HTTP.
pub fn endpoint(text: &str) -> Option<String> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("https".to_owned(), text),
    };
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let good = matches!(scheme.as_str(), "http" | "https")
        && !host.is_empty()
        && !rest.contains(char::is_whitespace);
    good.then(|| format!("{scheme}://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_scheme_of_http() {
        for (text, expected) in [
            ("ecs.test", Some("https://ecs.test")),
            ("127.0.0.1:8080", Some("https://127.0.0.1:8080")),
            ("http://127.0.0.1:1", Some("http://127.0.0.1:1")),
            ("HTTPS://ecs.test/x", Some("https://ecs.test/x")),
            ("https://[::1]:443", Some("https://[::1]:443")),
            ("http://", None),
            ("https://:443", None),
            ("ecs test", None),
            ("socks5://ecs.test", None),
            ("", None),
        ] {
            assert_eq!(endpoint(text).as_deref(), expected, "{text}");
        }
    }
}
