//! The two text formats: `OpenMetrics` as the registry writes it, and the older one of Prometheus, made from it.

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

/// Prefix of the registry, which metrics of the process itself do not have.
const OWN_PROCESS: (&str, &str) = ("ecs_agent_process_", "process_");

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`: what every scraper reads.
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

impl Format {
    /// What an `Accept` header asks for: the older format, unless it names the other.
    pub fn of_accept(accept: Option<&str>) -> Self {
        if accept.is_some_and(|text| text.contains("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// `Content-Type` of the text.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Both registries as one text.
pub(super) fn text(counted: &Registry, read_off: &Registry, format: Format) -> String {
    let mut text = String::new();
    for registry in [counted, read_off] {
        // Writing into a string does not fail.
        let _written = encode_registry(&mut text, registry);
    }
    let text = text.replace(OWN_PROCESS.0, OWN_PROCESS.1);
    match format {
        Format::OpenMetrics => text + "# EOF\n",
        Format::Prometheus => older(&text),
    }
}

/// In the older format a counter is named with its suffix, help ends without a full stop of its own, and units are
/// part of names only.
fn older(text: &str) -> String {
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("# ") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let mut words = rest.splitn(3, ' ');
        let (Some(keyword @ ("HELP" | "TYPE")), Some(name), Some(words)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let suffix = if counters.contains(&name) {
            "_total"
        } else {
            ""
        };
        for part in ["# ", keyword, " ", name, suffix, " ", words, "\n"] {
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_names_counters_whole_and_has_no_units() {
        let text = "# HELP a_seconds Times.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                    a_seconds_total{x=\"# y\"} 1\n# HELP b Things.\n# TYPE b gauge\nb 2\n";
        let expected = "# HELP a_seconds_total Times.\n# TYPE a_seconds_total counter\n\
                        a_seconds_total{x=\"# y\"} 1\n# HELP b Things.\n# TYPE b gauge\nb 2\n";
        assert_eq!(older(text), expected);
    }

    #[test]
    fn the_format_is_the_one_that_the_scraper_reads() {
        for (accept, format) in [
            (None, Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (
                Some("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
                Format::OpenMetrics,
            ),
        ] {
            assert_eq!(Format::of_accept(accept), format);
        }
    }
}
