//! Which addresses a message may go to: those of the public Internet, and networks that the environment allows. Whoever may
//! write a webhook's address could otherwise have the detector speak to what only it can reach, such as the metadata service
//! that hands out its credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Networks that may be reached although they are private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    allowed: Arc<[IpNet]>,
}

/// An address that no message goes to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is {address}, which is not on the public Internet; where that is meant, allow its network in `private_webhooks` of the profile"
)]
pub struct Private {
    pub host: String,
    pub address: IpAddr,
}

impl Reach {
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        Self {
            allowed: allowed.into_iter().collect(),
        }
    }

    /// Whether an address is in a network that is allowed by name.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(&address))
    }

    /// An error for an address that no message goes to.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), Private> {
        if is_public(address) || self.allows(address) {
            return Ok(());
        }
        Err(Private {
            host: host.to_owned(),
            address,
        })
    }

    /// The addresses of a host; an error if any of them may not be reached. Whoever asks connects to these and resolves nothing
    /// again, or a name could mean something else by then.
    pub async fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        for address in &addresses {
            self.check(host, address.ip())?;
        }
        if addresses.is_empty() {
            return Err(format!("{host} has no address").into());
        }
        Ok(addresses)
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let addresses = Self::resolve(&reach, name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public Internet. Source: IANA's registries of special-purpose addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast, without what is set aside within it.
    (0x2000..0x4000).contains(&first) && !(first == 0x2001 && (second < 0x200 || second == 0xdb8)) && first != 0x3fff
}

/// The address that another stands for: mapped, compatible, of NAT64, or of 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let pair = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(pair(high, low))
        }
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(pair(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_reached() {
        let reach = Reach::default();
        for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2002:808:808::1"] {
            assert!(reach.check("host", public.parse().unwrap()).is_ok(), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.5",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
        ] {
            assert!(reach.check("host", private.parse().unwrap()).is_err(), "{private}");
        }
    }

    #[test]
    fn a_network_that_is_named_is_reached_and_no_other() {
        let reach = Reach::new(["10.20.0.0/16".parse().unwrap()]);
        assert!(reach.check("hooks.corp", "10.20.3.4".parse().unwrap()).is_ok());
        let refused = reach.check("hooks.corp", "10.21.3.4".parse().unwrap()).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("hooks.corp is 10.21.3.4, which is not on the public Internet")
        );
    }

    #[tokio::test]
    async fn a_name_is_what_its_addresses_are() {
        let refused = Reach::default().resolve("localhost", 80).await.unwrap_err();
        assert!(refused.to_string().contains("not on the public Internet"), "{refused}");
        let reach = Reach::new(["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(!reach.resolve("localhost", 80).await.unwrap().is_empty());
    }
}
