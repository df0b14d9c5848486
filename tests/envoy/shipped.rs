//! The configuration that is shipped, `deploy/envoy`, in front of a service of a test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery::proto;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::proxy::{Envoy, address, program};
use crate::support::Service;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/envoy");

/// The shipped configuration as it stands, but for where its two files lie.
fn shipped(folder: &TempDir) -> String {
    let descriptors = folder.path().join("chancery.binpb");
    fs::write(&descriptors, descriptor(&["--envoy"])).unwrap();
    let text = fs::read_to_string(Path::new(SHIPPED).join("envoy.yaml")).unwrap();
    let text = put(&text, "/etc/envoy/rest.lua", &Path::new(SHIPPED).join("rest.lua"));
    put(&text, "/etc/envoy/chancery.binpb", &descriptors)
}

/// What `chancery descriptor` writes.
fn descriptor(flags: &[&str]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    let written = command.arg("descriptor").args(flags).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    written.stdout
}

fn put(text: &str, place: &str, path: &Path) -> String {
    assert_eq!(text.matches(place).count(), 1, "`{place}` stands once in envoy.yaml");
    text.replace(place, path.to_str().unwrap())
}

/// Starts an Envoy with the shipped configuration in front of a service, and of an application.
pub(crate) async fn before(service: &Service, application: SocketAddr) -> Envoy {
    before_with(service, application, |_| ()).await
}

/// Starts one with a change of the test's own.
pub(crate) async fn before_with(
    service: &Service,
    application: SocketAddr,
    change: impl FnOnce(&mut Value),
) -> Envoy {
    before_these([service.grpc(), service.admin(), application], change).await
}

/// The same in front of what is there: Chancery, its port for administrators, an application.
pub(crate) async fn before_these(
    [grpc, admin, application]: [SocketAddr; 3],
    change: impl FnOnce(&mut Value),
) -> Envoy {
    let folder = tempfile::tempdir().unwrap();
    let mut config: Value = serde_saphyr::from_str(&shipped(&folder)).unwrap();
    let resources = &mut config["static_resources"];
    for listener in resources["listeners"].as_array_mut().unwrap() {
        listener["address"] = address("127.0.0.1:0".parse().unwrap());
    }
    for cluster in resources["clusters"].as_array_mut().unwrap() {
        let at = match cluster["name"].as_str().unwrap() {
            "chancery" => grpc,
            "chancery_admin" => admin,
            _ => application,
        };
        cluster["load_assignment"]["endpoints"] =
            json!([{ "lb_endpoints": [{ "endpoint": { "address": address(at) } }] }]);
    }
    change(&mut config);
    Envoy::start_with(config).await
}

#[test]
fn envoy_takes_the_shipped_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("envoy.yaml");
    fs::write(&path, shipped(&folder)).unwrap();
    let checked = Command::new(program())
        .args(["--mode", "validate", "--config-path"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_descriptors_tell_errors_too_and_lack_for_envoy_what_it_refuses() {
    for (flags, wanted) in [(&[][..], true), (&["--envoy"], false)] {
        let pool = DescriptorPool::decode(descriptor(flags).as_slice()).unwrap();
        assert!(pool.get_message_by_name("google.rpc.ErrorInfo").is_some());
        let answers = |path: &DynamicMessage| path.has_field_by_name("response_body");
        let found = paths(&pool);
        assert!(found.len() > 20);
        assert_eq!(found.iter().any(|(_, path)| answers(path)), wanted);
        assert!(found.iter().all(|(_, path)| path.fields().count() > usize::from(answers(path))));
    }
}

#[test]
fn the_filter_knows_each_path_that_answers_with_one_field() {
    let lua = fs::read_to_string(Path::new(SHIPPED).join("rest.lua")).unwrap();
    let line = Regex::new(r#"(?m)^  \["(/chancery[^"]+)"\] = "(\w+)",$"#).unwrap();
    let known = line.captures_iter(&lua).map(|found| (found[1].to_owned(), found[2].to_owned()));
    let mut wanted = BTreeMap::new();
    for (method, path) in paths(&proto::pool().unwrap()) {
        let body = path.get_field_by_name("response_body").unwrap();
        if let Some(field) = method.output().get_field_by_name(body.as_str().unwrap()) {
            let name = format!("/{}/{}", method.parent_service().full_name(), method.name());
            wanted.insert(name, field.json_name().to_owned());
        }
    }
    assert_eq!(known.collect::<BTreeMap<_, _>>(), wanted);
}

#[test]
fn the_transcoder_serves_every_service() {
    let text = fs::read_to_string(Path::new(SHIPPED).join("envoy.yaml")).unwrap();
    let line = Regex::new(r"(?m)^ +- (chancery\.v1\.\w+)$").unwrap();
    let listed: BTreeSet<String> =
        line.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    let pool = proto::pool().unwrap();
    let ours = pool.services().filter(|service| service.package_name() == "chancery.v1");
    assert_eq!(listed, ours.map(|service| service.full_name().to_owned()).collect());
}

/// All methods that have a path in REST, and what is said of it.
fn paths(pool: &DescriptorPool) -> Vec<(MethodDescriptor, DynamicMessage)> {
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let services: Vec<_> = pool.services().collect();
    let methods = services.iter().flat_map(|service| service.methods().collect::<Vec<_>>());
    let with = methods.filter(|method| method.options().has_extension(&http));
    with.map(|method| {
        let path = method.options().get_extension(&http).as_message().unwrap().clone();
        (method, path)
    })
    .collect()
}
