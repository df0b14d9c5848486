//! `cedar-policy`: with few policies that read attributes, or with many of which it is shown those that could apply.

use std::collections::HashMap;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicySet,
    PrincipalConstraint, Request, ResourceConstraint,
};

use crate::workload::{Answers, Asked};

/// Policies, and each entity with those above it.
#[derive(Default, Clone)]
pub(crate) struct Cedar {
    pub(crate) policies: String,
    pub(crate) above: HashMap<String, Vec<String>>,
    /// Attributes of entities, each an expression.
    pub(crate) attributes: HashMap<String, Vec<(String, String)>>,
}

/// What can be parsed and closed before anything is asked.
struct Parsed {
    policies: PolicySet,
    entities: Entities,
    requests: Vec<Request>,
}

fn uid(text: &str) -> EntityUid {
    text.parse().unwrap()
}

fn permits(
    authorizer: &Authorizer,
    request: &Request,
    policies: &PolicySet,
    entities: &Entities,
) -> bool {
    let answer = authorizer.is_authorized(request, policies, entities);
    assert_eq!(answer.diagnostics().errors().count(), 0);
    answer.decision() == Decision::Allow
}

impl Cedar {
    fn parse(self, asked: &[Asked]) -> Parsed {
        let entities = self.above.iter().map(|(entity, above)| {
            let attributes = self.attributes.get(entity).into_iter().flatten();
            let attributes =
                attributes.map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
            let above = above.iter().map(|above| uid(above)).collect();
            Entity::new(uid(entity), attributes, above).unwrap()
        });
        let request = |asked: &Asked| {
            let Asked { user, kind, id, action, .. } = asked;
            let principal = uid(&format!(r#"User::"{user}""#));
            let action = uid(&format!(r#"Action::"{kind}.{action}""#));
            let resource = uid(&format!(r#"{kind}::"{id}""#));
            Request::new(principal, action, resource, Context::empty(), None).unwrap()
        };
        Parsed {
            policies: self.policies.parse().unwrap(),
            entities: Entities::from_entities(entities, None).unwrap(),
            requests: asked.iter().map(request).collect(),
        }
    }

    /// All policies are looked at.
    pub(crate) fn answers(self, asked: &[Asked]) -> Answers {
        let Parsed { policies, entities, requests } = self.parse(asked);
        let authorizer = Authorizer::new();
        Box::new(move |at| permits(&authorizer, &requests[at], &policies, &entities))
    }

    /// As `cedar-opt` of the paper: those policies are found by an index that name the principal or what it is in, or nobody,
    /// and the resource or what it is in, or nothing. Finding them is a part of the answer.
    pub(crate) fn indexed_answers(self, asked: &[Asked]) -> Answers {
        let Parsed { policies, entities, requests } = self.parse(asked);
        let mut index: HashMap<Key, Vec<Policy>> = HashMap::new();
        for policy in policies.policies() {
            index.entry(key(policy)).or_default().push(policy.clone());
        }
        let authorizer = Authorizer::new();
        Box::new(move |at| {
            let slice = slice(&index, &requests[at], &entities);
            permits(&authorizer, &requests[at], &slice, &entities)
        })
    }
}

/// Whom and what a policy names.
type Key = (Option<EntityUid>, Option<EntityUid>);

fn key(policy: &Policy) -> Key {
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::In(uid)
        | PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::IsIn(_, uid) => Some(uid),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::In(uid)
        | ResourceConstraint::Eq(uid)
        | ResourceConstraint::IsIn(_, uid) => Some(uid),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
    };
    (principal, resource)
}

fn slice(index: &HashMap<Key, Vec<Policy>>, request: &Request, entities: &Entities) -> PolicySet {
    let all = |uid: Option<&EntityUid>| -> Vec<Option<EntityUid>> {
        let above = uid.and_then(|uid| entities.ancestors(uid)).into_iter().flatten();
        above.chain(uid).cloned().map(Some).chain([None]).collect()
    };
    let resources = all(request.resource());
    let mut slice = PolicySet::new();
    for principal in all(request.principal()) {
        for resource in &resources {
            let found = index.get(&(principal.clone(), resource.clone())).into_iter().flatten();
            found.for_each(|policy| slice.add(policy.clone()).unwrap());
        }
    }
    slice
}
