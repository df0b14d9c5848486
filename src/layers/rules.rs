//! The rule of every RPC, read from the descriptors. A method without one stops the start.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ServiceDescriptor, Value};

use crate::decision::{Access, BadRule, Check, Rule, When};
use crate::model::SwiftSet;
use crate::model::catalogue::Catalogue;
use crate::proto;

/// Our own package: every method of it declares its rule.
const PACKAGE: &str = "chancery.v1.";
/// The method option that holds the rule.
const RULE: &str = "chancery.v1.rule";
/// The services of others that we serve; the catalogue `core` lists them as public.
const PUBLIC: &[&str] = &[
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The mesh's door, which is Envoy's to declare; the catalogue `core` lists its rule.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The methods that are nearly always answered from memory, and at once.
const ANSWERS: [&str; 3] = [
    "/chancery.v1.AuthorizationService/Authorize",
    "/chancery.v1.AuthorizationService/BatchAuthorize",
    CHECK,
];

/// Why the rules could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A method's rule is no rule.
    #[error(transparent)]
    Rule(#[from] BadRule),
    /// The descriptors lack the option itself.
    #[error("the descriptors do not define `{RULE}`")]
    NoOption,
}

/// Every method's rule, by `/package.Service/Method`.
#[derive(Debug)]
pub struct Rules {
    by_method: BTreeMap<String, Arc<Rule>>,
}

impl Rules {
    /// Reads every rule and holds its permissions against the catalogue.
    pub fn read(pool: &DescriptorPool, catalogue: &Catalogue) -> Result<Self, RulesError> {
        let rules = Self::parse(pool)?;
        for rule in rules.by_method.values() {
            let Access::Checked { main, also, or, .. } = &rule.access else { continue };
            for check in std::iter::once(main).chain(also).chain(or) {
                if catalogue.parse(&check.permission).is_none() {
                    return Err(BadRule::Permission {
                        method: rule.method.to_string(),
                        permission: check.permission.to_string(),
                    }
                    .into());
                }
            }
        }
        Ok(rules)
    }

    /// Reads every rule, as `chancery rules` prints them.
    pub fn parse(pool: &DescriptorPool) -> Result<Self, RulesError> {
        let mut by_method = BTreeMap::new();
        for service in pool.services().filter(|s| s.full_name().starts_with(PACKAGE)) {
            for method in service.methods() {
                let path = path_of(&service, &method);
                by_method.insert(path.clone(), Arc::new(rule_of(pool, &path, &method)?));
            }
        }
        for path in PUBLIC {
            let rule = Rule {
                method: Arc::from(*path),
                mutates: false,
                defaults: Vec::new(),
                access: Access::Public,
            };
            by_method.insert((*path).to_owned(), Arc::new(rule));
        }
        // Whoever may ask about somebody may ask here; about whom, is judged with each question.
        let main = Check::parse(CHECK, "decision.evaluate", "account/{account_id}", None, false)?;
        let (also, or) = (Vec::new(), Vec::new());
        let access = Access::Checked { main, also, or, answers: true };
        let (method, defaults) = (Arc::from(CHECK), vec![Arc::from("account_id")]);
        by_method
            .insert(CHECK.to_owned(), Arc::new(Rule { method, mutates: false, defaults, access }));
        Ok(Self { by_method })
    }

    /// Finds the rule of a method.
    pub fn of(&self, path: &str) -> Option<&Arc<Rule>> {
        self.by_method.get(path)
    }

    /// Walks all rules in the order of their methods' names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.by_method.values()
    }

    /// Returns whether a method is another's standard one, whose messages are not ours to read.
    pub(super) fn is_standard(path: &str) -> bool {
        PUBLIC.contains(&path)
    }

    /// Returns whether a method's messages are declared by somebody else, who may add to them: they have no form of ours.
    pub(super) fn is_foreign(path: &str) -> bool {
        path == CHECK
    }
}

/// Tells whether a method is one of those that are nearly always answered at once.
pub(super) fn answers(path: &str) -> bool {
    ANSWERS.contains(&path)
}

/// Returns the path of a method that exists, for labels.
pub fn known_method(path: &str) -> Option<&'static str> {
    methods().get(path).map(String::as_str)
}

/// Walks the paths of all methods that exist.
pub(super) fn known_methods() -> impl Iterator<Item = &'static str> {
    methods().iter().map(String::as_str)
}

fn methods() -> &'static SwiftSet<String> {
    static METHODS: OnceLock<SwiftSet<String>> = OnceLock::new();
    METHODS.get_or_init(|| {
        let ours = proto::pool().ok().into_iter().flat_map(|pool| {
            let services: Vec<_> = pool.services().collect();
            services
                .into_iter()
                .flat_map(|s| s.methods().map(|m| path_of(&s, &m)).collect::<Vec<_>>())
        });
        ours.chain(PUBLIC.iter().chain([&CHECK]).map(|path| (*path).to_owned())).collect()
    })
}

fn path_of(service: &ServiceDescriptor, method: &MethodDescriptor) -> String {
    format!("/{}/{}", service.full_name(), method.name())
}

fn rule_of(
    pool: &DescriptorPool,
    path: &str,
    method: &MethodDescriptor,
) -> Result<Rule, RulesError> {
    let option = pool.get_extension_by_name(RULE).ok_or(RulesError::NoOption)?;
    let options = method.options();
    if !options.has_extension(&option) {
        return Err(BadRule::Missing(path.to_owned()).into());
    }
    let value = options.get_extension(&option);
    let declared = value.as_message().ok_or(RulesError::NoOption)?;
    let input = method.input();
    let service = method.parent_service();
    // Of documents an account is never the caller's by default: where it may be named, its absence says any.
    let accounts: &[&str] = match service.name() {
        "RightsDocumentService" => &[],
        _ => &["account_id", "parent_account_id"],
    };
    let named = accounts.iter().filter(|name| input.get_field_by_name(name).is_some());
    let mut defaults: Vec<Arc<str>> = named.map(|name| Arc::from(*name)).collect();
    // In token and session RPCs the caller stands where no user is named (`api.md`, Presence), and so it does for documents.
    if ["TokenService", "SessionService", "RightsDocumentService"].contains(&service.name())
        && input.get_field_by_name("user_id").is_some()
    {
        defaults.push(Arc::from("user_id"));
    }
    Ok(Rule {
        method: Arc::from(path),
        mutates: input.get_field_by_name("request_id").is_some(),
        defaults,
        access: access_of(path, declared)?,
    })
}

fn access_of(path: &str, declared: &DynamicMessage) -> Result<Access, RulesError> {
    let permission = text(declared, "permission");
    let public = flag(declared, "public");
    let authenticated = flag(declared, "authenticated");
    match (permission.is_empty(), public, authenticated) {
        (true, true, false) => Ok(Access::Public),
        (true, false, true) => Ok(Access::Own),
        (false, false, false) => {
            let resource = text(declared, "resource");
            Ok(Access::Checked {
                main: Check::parse(path, &permission, &resource, None, false)?,
                also: checks(path, declared, "also", &permission)?,
                or: checks(path, declared, "or", &permission)?,
                answers: flag(declared, "answers"),
            })
        }
        _ => Err(BadRule::Unclear(path.to_owned()).into()),
    }
}

fn checks(
    path: &str,
    declared: &DynamicMessage,
    field: &str,
    of_rule: &str,
) -> Result<Vec<Check>, RulesError> {
    let Some(value) = declared.get_field_by_name(field) else { return Ok(Vec::new()) };
    let list = value.as_list().unwrap_or_default();
    list.iter()
        .filter_map(Value::as_message)
        .map(|check| {
            let permission = text(check, "permission");
            let permission = if permission.is_empty() { of_rule } else { &permission };
            let when = when_of(check);
            let or_self = flag(check, "or_self");
            Ok(Check::parse(path, permission, &text(check, "resource"), when, or_self)?)
        })
        .collect()
}

fn when_of(check: &DynamicMessage) -> Option<When> {
    use proto::v1::When as Wire;
    let number = check.get_field_by_name("when")?.as_enum_number()?;
    match Wire::try_from(number).ok()? {
        Wire::Unspecified => None,
        Wire::ParentSet => Some(When::ParentSet),
        Wire::NoParent => Some(When::NoParent),
        Wire::RolesSet => Some(When::RolesSet),
        Wire::KindApplication => Some(When::KindApplication),
        Wire::ProfileOnly => Some(When::ProfileOnly),
        Wire::SubjectIsCaller => Some(When::SubjectIsCaller),
        Wire::SubjectIsNotCaller => Some(When::SubjectIsNotCaller),
        Wire::CreatedByCaller => Some(When::CreatedByCaller),
        Wire::ReassignSet => Some(When::ReassignSet),
        Wire::FilterNamesApplication => Some(When::FilterNamesApplication),
        Wire::OwnerIsCaller => Some(When::OwnerIsCaller),
        Wire::IsMaster => Some(When::IsMaster),
        Wire::OtherUserSet => Some(When::OtherUserSet),
    }
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn flag(message: &DynamicMessage, field: &str) -> bool {
    message.get_field_by_name(field).and_then(|value| value.as_bool()).unwrap_or_default()
}
