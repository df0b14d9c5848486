//! The form of messages.

use std::sync::LazyLock;

use chancery::layers::Forms;
use chancery::proto;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use super::{halves, text};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| proto::pool().expect("it is our own"));
static FORMS: LazyLock<Forms> = LazyLock::new(|| Forms::compile(&POOL).expect("they are our own"));

/// The most faults that are told.
const FAULTS: usize = 32;

/// What passes is decoded; and passes again as another writes it.
///
/// An input is a method, such as `UserService/GetUser`, and, after a NUL, the message that it is sent.
pub(super) fn forms(input: &[u8]) {
    let (method, message) = halves(input);
    let method = text(method);
    let path = format!("/chancery.v1.{method}");
    let Some(form) = FORMS.inspect(&path, message, true) else { return };
    let quick = FORMS.inspect(&path, message, false).expect("it is there");
    assert_eq!(quick.faults, form.faults);
    assert!(form.faults.len() <= FAULTS);
    if form.faults.is_empty() {
        let decoded = DynamicMessage::decode(taken(method), message).expect("it has passed");
        let again = FORMS.inspect(&path, &decoded.encode_to_vec(), true).expect("it is there");
        assert_eq!(again.faults, []);
    }
}

fn taken(method: &str) -> MessageDescriptor {
    let (service, name) = method.split_once('/').expect("it is there");
    let service = POOL.get_service_by_name(&format!("chancery.v1.{service}")).expect("it is there");
    service.methods().find(|method| method.name() == name).expect("it is there").input()
}
