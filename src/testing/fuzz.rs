//! Fuzz entry points: ordinary functions over bytes that panic when an invariant breaks. Property tests call them with
//! generated input, a fuzzer with its own.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::{Config, Origin, Strings};
use crate::definition::{ParseOptions, canonical, from_canonical, parse};
use crate::domain::ids::TaskArn;
use crate::domain::image::ImageRef;
use crate::domain::placement::Expression;

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

/// Any bytes are a label that holds a definition, which is written as it was read, or are refused with a reason.
///
/// # Panics
/// If neither is so.
pub fn label(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match from_canonical(&text) {
        Ok(definition) => {
            let again = from_canonical(&canonical(&definition));
            assert_eq!(again, Ok(definition));
        }
        Err(rejected) => assert!(!rejected.to_string().is_empty(), "refused without a reason"),
    }
}

/// Any bytes are a settings file: what of it cannot be used is named, its defaults count, and the agent starts.
///
/// # Panics
/// If something is refused without words, or a part of the file without the file's name.
pub fn settings_file(data: &[u8]) {
    let content = String::from_utf8_lossy(data);
    let path = Path::new("settings.json");
    let (strings, problems) = Config::add_file(Strings::new(), Origin::File, path, &content);
    for problem in &problems {
        assert!(problem.message.contains("settings.json"), "{problem:?}");
    }
    let config = Config::read(&strings);
    for problem in &config.problems {
        assert!(!problem.message.is_empty(), "{problem:?}");
        assert!(!problem.setting.is_empty(), "{problem:?}");
    }
}

/// Any text is the value of a setting, or is refused in words; the default counts then.
///
/// # Panics
/// If it is refused without words.
pub fn setting(name: &str, data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let given = BTreeMap::from([(name.to_owned(), text)]);
    let config = Config::read(&Strings::new().below(Origin::Environment, given));
    for problem in &config.problems {
        assert!(!problem.message.is_empty(), "{name}: {problem:?}");
    }
}

/// Any text is a placement expression, which any host's attributes answer, or is refused with a place in it.
///
/// # Panics
/// If neither is so.
pub fn placement(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Expression::parse(&text) {
        Ok(expression) => {
            let nothing = BTreeMap::new();
            let all = expression.attributes().into_iter();
            let all = all
                .map(|name| (name.to_owned(), "linux".to_owned()))
                .collect();
            let _either = (expression.holds(&nothing), expression.holds(&all));
        }
        Err(error) => assert!(error.position <= text.len() + 1, "{error:?}"),
    }
}
