//! `berth check-config`: every setting as it counts, where it came from, and what is wrong.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::config::Config;

/// Prints the settings as a table, or as JSON.
///
/// # Errors
/// If they cannot be written.
pub fn check_config(config: &Config, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    if as_json {
        return writeln!(out, "{:#}", json(config));
    }
    let name_width = width(config.effective.iter().map(|setting| setting.setting));
    let value_width = width(
        config
            .effective
            .iter()
            .map(|setting| setting.value.as_str()),
    )
    .min(48);
    for setting in &config.effective {
        let value = if setting.value.is_empty() {
            "-"
        } else {
            &setting.value
        };
        writeln!(
            out,
            "{:name_width$}  {value:value_width$}  {:11}  {}",
            setting.setting,
            setting.origin.to_string(),
            setting.about
        )?;
    }
    if !config.problems.is_empty() {
        writeln!(out, "\nProblems:")?;
    }
    for problem in &config.problems {
        writeln!(
            out,
            "  {} ({}): {}",
            problem.setting, problem.origin, problem.message
        )?;
    }
    Ok(())
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(str::len).max().unwrap_or_default()
}

fn json(config: &Config) -> Value {
    let settings: Map<String, Value> = config
        .effective
        .iter()
        .map(|setting| {
            let value = json!({
                "value": Some(&setting.value).filter(|value| !value.is_empty()),
                "origin": setting.origin.to_string(),
                "about": setting.about,
            });
            (setting.setting.to_owned(), value)
        })
        .collect();
    let problems: Vec<Value> = config
        .problems
        .iter()
        .map(|problem| {
            json!({
                "setting": problem.setting,
                "origin": problem.origin.to_string(),
                "message": problem.message,
            })
        })
        .collect();
    json!({ "settings": settings, "problems": problems })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Strings};

    fn printed(as_json: bool) -> String {
        let texts = [("ECS_CLUSTER", "edge"), ("ECS_CLUSTR", "x")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let config = Config::read(&Strings::new().below(Origin::Environment, texts));
        let mut out = Vec::new();
        check_config(&config, as_json, &mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_table_shows_value_origin_and_problems() {
        let text = printed(false);
        let cluster = text.lines().find(|line| line.starts_with("ECS_CLUSTER "));
        let words: Vec<&str> = cluster
            .expect("a line")
            .split_whitespace()
            .take(3)
            .collect();
        assert_eq!(words, ["ECS_CLUSTER", "edge", "environment"]);
        assert!(text.ends_with(
            "Problems:\n  ECS_CLUSTR (environment): is no setting; did you mean ECS_CLUSTER?\n"
        ));
    }

    #[test]
    fn the_json_has_the_same() {
        let value: Value = serde_json::from_str(&printed(true)).expect("JSON");
        assert_eq!(value["settings"]["ECS_CLUSTER"]["value"], "edge");
        assert_eq!(value["settings"]["ECS_DATADIR"]["value"], Value::Null);
        assert_eq!(value["problems"][0]["setting"], "ECS_CLUSTR");
    }
}
