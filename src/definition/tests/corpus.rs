//! The canonical form, and the public corpus where it lies beside the repository.

use std::path::Path;

use super::check::good;
use crate::definition::{ParseOptions, canonical, from_canonical, parse};
use crate::domain::definition::TaskDefinition;

#[test]
fn the_canonical_form_is_compact_and_in_one_order() {
    let text = r#"{"containerDefinitions": [{"image": "nginx", "name": "web", "links": [], "memory": "1 gb",
        "portMappings": [{"hostPort": 0, "containerPort": "80"}], "environment": [{"value": "2", "name": "B"},
        {"name": "A", "value": "1"}]}], "family": "f", "volumes": [{"name": "v", "host": {"sourcePath": ""}}]}"#;
    let definition: TaskDefinition = good(text).definition;
    let written = canonical(&definition);
    insta::assert_snapshot!(written, @r#"{"family":"f","containerDefinitions":[{"name":"web","image":"nginx","essential":true,"memory":1024,"environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"portMappings":[{"containerPort":80,"protocol":"tcp"}]}],"volumes":[{"name":"v"}]}"#);
    assert_eq!(from_canonical(&written).unwrap(), definition);
    assert!(from_canonical("{}").is_err());
}

/// Every public file is either run-able, and then survives its canonical form, or refused with reasons that name
/// fields. Files that README marks with a placeholder in brackets say how to fill it.
#[test]
fn every_file_of_the_public_corpus_is_read_or_refused_in_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    let (mut good, mut refused) = (0, 0);
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let options = ParseOptions {
            family_hint: Some(stem.clone()),
            ..ParseOptions::default()
        };
        let findings = match parse(&std::fs::read(&path).unwrap(), &options) {
            Ok(parsed) => {
                good += 1;
                let again = from_canonical(&canonical(&parsed.definition)).unwrap();
                assert_eq!(again, parsed.definition, "{stem}");
                parsed.warnings
            }
            Err(rejected) => {
                refused += 1;
                rejected.findings
            }
        };
        let marks = readme
            .lines()
            .find(|line| line.starts_with(&format!("{stem}\t")));
        let marked = marks.is_some_and(|line| {
            ["ph:<X>", "ph:{{X}}", "ph:$$$X$$$", "ph:${X}"]
                .iter()
                .any(|mark| line.contains(mark))
        });
        let named = findings
            .iter()
            .any(|finding| finding.message.contains("--var "));
        assert!(!marked || named, "{stem}: {findings:?}");
    }
    println!("{good} can be run, {refused} are refused");
    assert!(good > refused / 2, "{good} good, {refused} refused");
}
