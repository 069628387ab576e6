//! Where another process is reached: `host:port`, as configs and command lines name it.

use rustls::pki_types::ServerName;

/// The host of an address, as a certificate names it; `None` if this is not `host:port`, for example because of a scheme before it.
pub(crate) fn host_of(authority: &str) -> Option<ServerName<'static>> {
    let (host, port) = authority.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?,
        // Of an IPv6 address nobody knows where it ends.
        None if host.contains(':') => return None,
        None => host,
    };
    ServerName::try_from(host.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port_and_nothing_else() {
        for good in ["127.0.0.1:7101", "node-1.example.org:7101", "[::1]:7101"] {
            assert!(host_of(good).is_some(), "{good}");
        }
        let bad = [
            "",
            "7101",
            "node-1",
            ":7101",
            "node-1:",
            "node-1:70000",
            "https://node-1:7101",
            "node-1:7101/",
            "a b:7101",
            "::1:7101",
            "[::1:7101",
        ];
        for bad in bad {
            assert_eq!(host_of(bad), None, "{bad}");
        }
    }
}
