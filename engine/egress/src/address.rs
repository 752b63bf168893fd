//! Which addresses are the public internet. Everything else is refused, in every spelling: an IPv6
//! address that carries an IPv4 one is unwrapped first (facts/security.md §4 rule 6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are not the public internet: address and prefix length.
const BLOCKED_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16), // link-local, cloud metadata
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),   // documentation
    ([192, 88, 99, 0], 24), // 6to4 relays, gone
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4), // reserved, broadcast
];

/// Networks of IPv6 that are not the public internet: first two groups' worth of bits and length.
const BLOCKED_V6: [(u128, u32); 8] = [
    (0, 96),                 // unspecified, loopback, IPv4-compatible
    (0x0100 << 112, 64),     // discard
    (0x2001_0db8 << 96, 32), // documentation
    (0x3fff << 112, 20),     // documentation
    (0xfc00 << 112, 7),      // unique local
    (0xfe80 << 112, 10),     // link-local
    (0xfec0 << 112, 10),     // site-local, gone
    (0xff00 << 112, 8),      // multicast
];

/// Whether an address belongs to the public internet, whatever it is wrapped in.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !BLOCKED_V4.iter().any(|(network, length)| {
        let shift = 32 - length;
        bits >> shift == Ipv4Addr::from(*network).to_bits() >> shift
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let inner = unwrapped(address);
    if !inner.is_empty() {
        return inner.into_iter().all(is_public_v4);
    }
    let bits = address.to_bits();
    !BLOCKED_V6.iter().any(|(network, length)| bits >> (128 - length) == network >> (128 - length))
}

/// The IPv4 addresses that an IPv6 address carries. An address inside a carrying network always
/// yields at least one, so a wrapped address is judged by what is in it.
fn unwrapped(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bytes = address.octets();
    let at = |first: usize| Ipv4Addr::from([0, 1, 2, 3].map(|index| bytes[first + index]));
    let last = at(12);
    match address.segments() {
        // v4-mapped, v4-translated (SIIT), NAT64 with the well-known prefix, ISATAP
        [0, 0, 0, 0, 0, 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x0064, 0xff9b, 0, 0, 0, 0, ..]
        | [_, _, _, _, 0x0000 | 0x0200, 0x5efe, ..] => vec![last],
        [0x0064, 0xff9b, 0x0001, ..] => nat64_local(bytes),
        // 6to4
        [0x2002, ..] => vec![at(2)],
        // Teredo: the server, and the client with every bit turned
        [0x2001, 0, ..] => vec![at(4), Ipv4Addr::from_bits(!last.to_bits())],
        _ => Vec::new(),
    }
}

/// `64:ff9b:1::/48` is for local translators: where in it the IPv4 address stands depends on the
/// translator's prefix length (RFC 6052 §2.2), so every place must be public.
fn nat64_local(bytes: [u8; 16]) -> Vec<Ipv4Addr> {
    let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
    places.iter().map(|place| Ipv4Addr::from(place.map(|index: usize| bytes[index]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], expect: bool) {
        for text in addresses {
            assert_eq!(is_public(text.parse().unwrap()), expect, "{text}");
        }
    }

    #[test]
    fn private_and_special_networks_are_not_public() {
        check(
            &[
                "0.0.0.0",
                "0.1.2.3",
                "10.0.0.1",
                "10.255.255.255",
                "100.64.0.1",
                "100.127.255.255",
                "127.0.0.1",
                "127.255.255.254",
                "169.254.169.254",
                "172.16.0.1",
                "172.31.255.255",
                "192.0.0.8",
                "192.168.0.1",
                "198.18.0.1",
                "198.19.255.255",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "::7f00:1",
                "fc00::1",
                "fd12:3456::1",
                "fe80::1",
                "febf::1",
                "ff02::1",
                "fec0::1",
                "100::1",
                "2001:db8::1",
            ],
            false,
        );
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_address_is_judged_by_itself() {
        check(
            &[
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "::ffff:169.254.169.254",
                "::ffff:0:127.0.0.1",
                "64:ff9b::127.0.0.1",
                "64:ff9b::a00:1",
                "64:ff9b:1::10.0.0.1",
                "2002:7f00:1::",
                "2002:a00:1::1",
                "2002:c0a8:101::1",
                "2001:0:4136:e378:8000:63bf:80ff:fffe",
                "2001:0:7f00:1:0:0:f5ff:fffe",
                "2001:db8:1:1:0:5efe:7f00:1",
                "fe80::5efe:c0a8:101",
            ],
            false,
        );
        check(&["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"], true);
    }

    #[test]
    fn the_public_internet_is_public() {
        check(
            &[
                "1.1.1.1",
                "8.8.8.8",
                "9.255.255.255",
                "11.0.0.1",
                "100.63.255.255",
                "100.128.0.1",
                "126.0.0.1",
                "128.0.0.1",
                "169.253.0.1",
                "172.15.0.1",
                "172.32.0.1",
                "192.0.1.1",
                "192.167.0.1",
                "198.17.0.1",
                "198.20.0.1",
                "223.255.255.255",
                "2606:4700::1111",
                "2a00:1450:4001:80b::200e",
            ],
            true,
        );
    }
}
