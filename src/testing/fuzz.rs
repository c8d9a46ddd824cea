//! Fuzz entry points: ordinary functions over bytes that panic when an invariant breaks. Property tests call them with
//! generated input, a fuzzer with its own.

use crate::definition::{ParseOptions, canonical, from_canonical, parse};
use crate::domain::ids::TaskArn;
use crate::domain::image::ImageRef;

/// Any bytes are a task definition, which survives its canonical form, or are refused with a reason.
///
/// # Panics
/// If neither is so.
pub fn definition(data: &[u8]) {
    let options = ParseOptions {
        family_hint: Some("fuzz".to_owned()),
        ..ParseOptions::default()
    };
    match parse(data, &options) {
        Ok(parsed) => {
            let again = from_canonical(&canonical(&parsed.definition));
            assert_eq!(again.as_ref(), Ok(&parsed.definition));
        }
        Err(rejected) => assert!(!rejected.to_string().is_empty(), "refused without a reason"),
    }
}

/// Any text that is an image reference prints as it was written, and its parts are parts of it.
///
/// # Panics
/// If not.
pub fn image_reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(image) = ImageRef::parse(text) {
        assert_eq!(image.to_string(), text);
        let parts = [
            Some(image.repository()),
            image.registry_host(),
            image.tag(),
            image.digest(),
        ];
        for part in parts.into_iter().flatten() {
            assert!(!part.is_empty() && text.contains(part), "{part:?}");
        }
        assert!(ImageRef::parse(&image.normalized()).is_ok());
    }
}

/// Any text that is a task ARN prints as it was written, and its task id is no path.
///
/// # Panics
/// If not.
pub fn task_arn(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(arn) = TaskArn::parse(text) {
        assert_eq!(arn.to_string(), text);
        let id = arn.task_id().as_str();
        assert!(text.ends_with(id) && !id.contains(['/', '.']), "{id:?}");
    }
}
