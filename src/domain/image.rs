//! Image references as Docker reads them (registry host, repository, tag and digest), and when images are pulled.

use std::fmt;

use super::ids::IdError;

/// Longest image reference accepted, in bytes (Docker's repository limit 255 plus host, tag 128 and digest).
const MAX_IMAGE_BYTES: usize = 1024;

/// A reference that Docker would accept, kept as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    text: String,
    repository_end: usize,
    digest_start: Option<usize>,
}

impl ImageRef {
    /// Takes `[host[:port]/]repository[:tag][@algorithm:hex]`.
    ///
    /// # Errors
    /// [`IdError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        const FORM: IdError = IdError::BadForm {
            form: "[host[:port]/]repository[:tag][@digest]",
        };
        const ALLOWED: &str = "lower-case letters, digits, '.', '_', '-' and '/' in the repository";
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_IMAGE_BYTES {
            return Err(IdError::TooLong {
                limit: MAX_IMAGE_BYTES,
            });
        }
        let (name_tag, digest) = match text.split_once('@') {
            Some((left, digest)) => (left, Some(digest)),
            None => (text, None),
        };
        if !digest.is_none_or(is_digest) {
            return Err(FORM);
        }
        let last_segment_start = name_tag.rfind('/').map_or(0, |at| at.saturating_add(1));
        let last_segment = name_tag.get(last_segment_start..).unwrap_or_default();
        let repository_end = match last_segment.find(':') {
            Some(colon) => last_segment_start.saturating_add(colon),
            None => name_tag.len(),
        };
        if !name_tag
            .get(repository_end..)
            .and_then(|t| t.strip_prefix(':'))
            .is_none_or(is_tag)
        {
            return Err(FORM);
        }
        let repository = name_tag.get(..repository_end).unwrap_or_default();
        let path = match repository.split_once('/') {
            Some((host, rest)) if is_host(host) => {
                let good =
                    |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
                if !host.chars().all(good) {
                    return Err(FORM);
                }
                rest
            }
            _ => repository,
        };
        let good = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/')
        };
        if let Some(character) = path.chars().find(|&c| !good(c)) {
            return Err(IdError::BadCharacter {
                character,
                allowed: ALLOWED,
            });
        }
        for component in path.split('/') {
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            if !edge(component.chars().next())
                || !edge(component.chars().last())
                || component.contains("..")
            {
                return Err(FORM);
            }
        }
        let digest_start = digest.map(|d| text.len().saturating_sub(d.len()));
        Ok(Self {
            text: text.to_owned(),
            repository_end,
            digest_start,
        })
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and repository, without tag and digest.
    pub fn repository(&self) -> &str {
        self.text.get(..self.repository_end).unwrap_or(&self.text)
    }

    /// Registry host with its port, if the reference names one.
    pub fn registry_host(&self) -> Option<&str> {
        self.repository()
            .split_once('/')
            .map(|(host, _)| host)
            .filter(|host| is_host(host))
    }

    /// Tag, if one is given.
    pub fn tag(&self) -> Option<&str> {
        let end = self
            .digest_start
            .map_or(self.text.len(), |at| at.saturating_sub(1));
        self.text.get(self.repository_end..end)?.strip_prefix(':')
    }

    /// `sha256:…`, if the reference is pinned.
    pub fn digest(&self) -> Option<&str> {
        self.text.get(self.digest_start?..)
    }

    /// Tag that a pull asks for: the given one, else `latest` when there is no digest either.
    pub fn pull_tag(&self) -> Option<&str> {
        self.tag().or(if self.digest_start.is_some() {
            None
        } else {
            Some("latest")
        })
    }

    /// The reference with an explicit tag or digest, as Docker lists it: `busybox` is `busybox:latest`.
    pub fn normalized(&self) -> String {
        match (self.tag(), self.digest()) {
            (None, None) => format!("{}:latest", self.text),
            _ => self.text.clone(),
        }
    }
}

/// `ECS_IMAGE_PULL_BEHAVIOR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullBehavior {
    /// Pull; if that fails use the image on the host.
    #[default]
    Default,
    /// Pull; if that fails the task fails.
    Always,
    /// Pull unless the agent has pulled it before.
    Once,
    /// Pull unless the image is on the host.
    PreferCached,
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Docker's rule: the first component is a host if it has a dot or a port, or is `localhost`.
fn is_host(component: &str) -> bool {
    let begins_well = component.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    begins_well && (component.contains(['.', ':']) || component == "localhost")
}

/// `algorithm:hex`, as the registry writes it.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !algorithm.is_empty()
        && algorithm.chars().all(good)
        && hex.len() >= 32
        && hex.chars().all(|c| c.is_ascii_hexdigit())
}

/// A tag: up to 128 word characters, dots and dashes, not beginning with the latter two.
fn is_tag(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !text.is_empty() && text.len() <= 128 && !text.starts_with(['.', '-']) && text.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_good_references() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = format!("127.0.0.1:5000/team/web:1.2@{digest}");
        let image = ImageRef::parse(&pinned).unwrap();
        assert_eq!(image.registry_host(), Some("127.0.0.1:5000"));
        assert_eq!(image.repository(), "127.0.0.1:5000/team/web");
        assert_eq!(image.tag(), Some("1.2"));
        assert_eq!(image.digest(), Some(digest.as_str()));

        let plain = ImageRef::parse("library/busybox").unwrap();
        assert_eq!(
            (plain.registry_host(), plain.tag(), plain.pull_tag()),
            (None, None, Some("latest"))
        );
        assert_eq!(plain.normalized(), "library/busybox:latest");
        assert_eq!(
            ImageRef::parse("localhost:5000/a").unwrap().registry_host(),
            Some("localhost:5000")
        );
    }

    #[test]
    fn bad_references_are_refused() {
        for text in [
            "",
            "a b",
            "Upper",
            "a:",
            "a@sha256:xyz",
            "../a",
            "a//b",
            "/a",
            "a/",
            "<IMAGE>",
            "${X}",
            "a:b:c",
        ] {
            assert!(ImageRef::parse(text).is_err(), "{text}");
        }
    }
}
