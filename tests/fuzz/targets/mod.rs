//! One law for each decoder of what strangers send. Whatever the bytes are, it neither panics nor takes long, and what it takes
//! is what it says: written out it reads back, and nothing counts as signed or sealed that was not.
//!
//! These are run over the corpus by an ordinary test, and by a fuzzer.

mod forms;
mod mesh;
mod names;
mod rules;
mod secrets;
mod settings;

/// A decoder, and the law that it keeps.
pub(crate) struct Target {
    /// What its folder in the corpus is called.
    pub(crate) name: &'static str,
    /// Panics where the law is broken.
    pub(crate) law: fn(&[u8]),
}

/// All of them.
pub(crate) const ALL: [Target; 20] = [
    Target { name: "access_tokens", law: secrets::access_tokens },
    Target { name: "api_tokens", law: secrets::api_tokens },
    Target { name: "assertions", law: secrets::assertions },
    Target { name: "catalogues", law: rules::catalogues },
    Target { name: "certificates", law: secrets::certificates },
    Target { name: "conditions", law: rules::conditions },
    Target { name: "consistency_tokens", law: secrets::consistency_tokens },
    Target { name: "documents", law: rules::documents },
    Target { name: "filters", law: names::filters },
    Target { name: "forms", law: forms::forms },
    Target { name: "forwarded_certificates", law: names::forwarded_certificates },
    Target { name: "ids", law: names::ids },
    Target { name: "master_keys", law: secrets::master_keys },
    Target { name: "mesh_requests", law: mesh::requests },
    Target { name: "mesh_routes", law: mesh::routes },
    Target { name: "names", law: names::names },
    Target { name: "page_tokens", law: secrets::page_tokens },
    Target { name: "paths", law: names::paths },
    Target { name: "public_keys", law: secrets::public_keys },
    Target { name: "settings", law: settings::settings },
];

/// Splits an input that says two things: at its first NUL.
fn halves(input: &[u8]) -> (&[u8], &[u8]) {
    let at = input.iter().position(|byte| *byte == 0);
    at.map_or((input, &[]), |at| (&input[..at], &input[at + 1..]))
}

/// What gRPC hands on as a text is UTF-8; other bytes never come to a decoder of texts.
fn text(input: &[u8]) -> &str {
    std::str::from_utf8(input).unwrap_or_default()
}
