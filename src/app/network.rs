//! How this host reaches AWS, from the settings.

use std::path::Path;
use std::sync::Arc;

use tracing::warn;

use crate::aws::{Connect, Ways};
use crate::config::connected::NetworkSection;
use crate::ecs::{Authorities, EndpointKinds, Network, Proxies, Proxy, connector};

const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// A setting of the network that cannot be used, and why.
pub type Unusable = (&'static str, String);

/// What cannot be used is named and left out: a connection that needs it says so too.
pub(super) fn network(section: &NetworkSection) -> Network {
    let (network, unusable) = read(section);
    for (setting, why) in unusable {
        if setting == CA_BUNDLE {
            warn!(event = "ca-bundle-unusable", "{setting} {why}");
        } else {
            warn!(event = "proxy-unusable", setting, "{setting} {why}");
        }
    }
    network
}

/// What of these settings cannot be used; the file of authorities is read for that.
pub fn unusable(section: &NetworkSection) -> Vec<Unusable> {
    read(section).1
}

fn read(section: &NetworkSection) -> (Network, Vec<Unusable>) {
    let mut unusable = Vec::new();
    let network = Network {
        proxies: Proxies {
            http: proxy(section.http_proxy.as_deref(), "HTTP_PROXY", &mut unusable),
            https: proxy(section.https_proxy.as_deref(), "HTTPS_PROXY", &mut unusable),
            except: section.no_proxy.clone(),
        },
        authorities: authorities(section.ca_bundle.as_deref(), &mut unusable),
        endpoints: EndpointKinds {
            fips: section.fips,
            dual_stack: section.dual_stack,
        },
    };
    (network, unusable)
}

/// The ways to services of AWS over that network.
pub(super) fn ways(network: &Network) -> Ways {
    let network = network.clone();
    let connect: Connect = Arc::new(move |url| connector(&network, url));
    Ways::new(connect)
}

fn proxy(text: Option<&str>, setting: &'static str, unusable: &mut Vec<Unusable>) -> Option<Proxy> {
    let proxy = Proxy::parse(text?);
    if proxy.is_none() {
        let why = "is no address of an HTTP proxy; none is used";
        unusable.push((setting, why.to_owned()));
    }
    proxy
}

fn authorities(file: Option<&Path>, unusable: &mut Vec<Unusable>) -> Authorities {
    let Some(file) = file else {
        return Authorities::default();
    };
    let (authorities, why) = match std::fs::read(file) {
        Ok(pem) => {
            let (authorities, bad) = Authorities::read(&pem);
            let unfit = bad > 0 || authorities.is_empty();
            let why = format!(
                "has texts that are no certificates of authorities: {bad}, and {} good ones count",
                authorities.len()
            );
            (authorities, Some(why).filter(|_| unfit))
        }
        Err(error) => (
            Authorities::default(),
            Some(format!("cannot be read: {error}")),
        ),
    };
    unusable.extend(why.map(|why| (CA_BUNDLE, format!("({}) {why}", file.display()))));
    authorities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_without_its_password() {
        let section = NetworkSection {
            http_proxy: Some("socks5://u:marked@proxy".to_owned()),
            https_proxy: Some("http://proxy:3128".to_owned()),
            ca_bundle: Some("/nowhere/at-all.pem".into()),
            ..NetworkSection::default()
        };
        let told = unusable(&section);
        let settings: Vec<&str> = told.iter().map(|(setting, _)| *setting).collect();
        assert_eq!(settings, ["HTTP_PROXY", "AWS_CA_BUNDLE"]);
        assert!(!format!("{told:?}").contains("marked"));
    }
}
