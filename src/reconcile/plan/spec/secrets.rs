//! Values that a container gets from outside its definition, put in their places.
//!
//! **Invariant.** What is made here goes to the container engine and nowhere else: a spec that is shown or stored has
//! no values.

use crate::boundary::secrets::SecretValues;
use crate::domain::definition::SecretRef;
use crate::domain::spec::ContainerSpec;

/// The spec with the values of its variables and of the options of its log driver. They win over what the definition
/// and the agent say under the same names (reference agent).
///
/// # Errors
/// Words that say for what there is no value.
pub fn with_secrets(spec: &ContainerSpec, values: &SecretValues) -> Result<ContainerSpec, String> {
    let value = |used: &SecretRef| {
        let found = values.0.get(&used.value_from);
        found
            .map(|value| value.expose().clone())
            .ok_or_else(|| format!("there is no value for {} yet", used.name))
    };
    let mut filled = spec.clone();
    for used in &spec.definition.secrets {
        filled.environment.insert(used.name.clone(), value(used)?);
        filled.left_to_image.remove(&used.name);
    }
    // Another driver that stands in for the definition's knows nothing of its options.
    if let (Some(log), Some(chosen)) = (&spec.definition.log_configuration, &mut filled.log)
        && log.driver == chosen.driver
    {
        for used in &log.secret_options {
            chosen.options.insert(used.name.clone(), value(used)?);
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::definition::LogConfiguration;
    use crate::domain::spec::LogChoice;
    use crate::testing::contract;

    fn used(name: &str, place: &str) -> SecretRef {
        SecretRef {
            name: name.to_owned(),
            value_from: place.to_owned(),
        }
    }

    fn spec() -> ContainerSpec {
        let image = crate::domain::image::ImageRef::parse("busybox:1").unwrap();
        let mut spec = contract::container("any", &image, "exit 0");
        spec.definition.secrets = vec![used("PASSWORD", "db"), used("AGAIN", "db")];
        spec.definition.log_configuration = Some(LogConfiguration {
            driver: "splunk".to_owned(),
            options: [].into(),
            secret_options: vec![used("splunk-token", "token")],
        });
        spec.log = Some(LogChoice {
            driver: "splunk".to_owned(),
            options: [].into(),
        });
        spec.environment
            .insert("PASSWORD".to_owned(), "other".to_owned());
        spec
    }

    fn values(places: &[&str]) -> SecretValues {
        let values = places.iter();
        let values = values.map(|&place| (place.to_owned(), format!("{place}-value").into()));
        SecretValues(values.collect())
    }

    #[test]
    fn values_win_and_go_into_variables_and_log_options() {
        let filled = with_secrets(&spec(), &values(&["db", "token"])).unwrap();
        assert_eq!(filled.environment["PASSWORD"], "db-value");
        assert_eq!(filled.environment["AGAIN"], "db-value");
        assert_eq!(filled.log.unwrap().options["splunk-token"], "token-value");
    }

    #[test]
    fn a_driver_that_stands_in_gets_no_options_of_another() {
        let mut degraded = spec();
        degraded.log.as_mut().unwrap().driver = "json-file".to_owned();
        let filled = with_secrets(&degraded, &values(&["db"])).unwrap();
        assert!(filled.log.unwrap().options.is_empty());
    }

    #[test]
    fn what_has_no_value_is_named() {
        let missing = with_secrets(&spec(), &values(&["token"])).unwrap_err();
        assert_eq!(missing, "there is no value for PASSWORD yet");
    }
}
