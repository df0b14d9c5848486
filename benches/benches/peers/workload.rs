//! Data and questions, the same for every engine.

use std::collections::HashMap;

use benches::world;
use casbin::{CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
};
use chancery::decision::Snapshot;
use chancery::model::ResourcePath;
use chancery::model::UserId;
use chancery::model::catalogue::Permission;

/// Answers the question of a number.
pub(crate) type Answers = Box<dyn Fn(usize) -> bool>;

/// One question, in words.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The number of the user.
    pub(crate) user: usize,
    /// The type of the resource, the number of the resource, and the action.
    pub(crate) kind: String,
    pub(crate) id: usize,
    pub(crate) action: String,
    /// What a plain look at the data says.
    pub(crate) permit: bool,
}

/// What all engines are given.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) size: String,
    pub(crate) asked: Vec<Asked>,
    pub(crate) ours: Ours,
    pub(crate) cedar: Cedar,
    pub(crate) casbin: Casbin,
}

/// A tenant, and the path of every question.
pub(crate) struct Ours {
    pub(crate) world: Snapshot,
    pub(crate) paths: Vec<ResourcePath>,
}

impl Ours {
    pub(crate) fn answers(self, asked: &[Asked]) -> Answers {
        let Self { world, paths } = self;
        let questions: Vec<(UserId, Permission, ResourcePath)> = asked
            .iter()
            .zip(paths)
            .map(|(asked, path)| {
                let permission = world.catalogue().permission(&asked.kind, &asked.action).unwrap();
                (world::user_id(asked.user), permission, path)
            })
            .collect();
        Box::new(move |at| {
            let (user, permission, path) = &questions[at];
            world::permits(&world, *user, *permission, path)
        })
    }
}

/// Policies, and each entity with those above it.
#[derive(Default)]
pub(crate) struct Cedar {
    pub(crate) policies: String,
    pub(crate) above: HashMap<String, Vec<String>>,
    /// Attributes of entities, each an expression.
    pub(crate) attributes: HashMap<String, Vec<(String, String)>>,
}

fn uid(text: &str) -> EntityUid {
    text.parse().unwrap()
}

impl Cedar {
    /// Everything that can be parsed and closed beforehand is.
    pub(crate) fn answers(self, asked: &[Asked]) -> Answers {
        let policies: PolicySet = self.policies.parse().unwrap();
        let entities = self.above.iter().map(|(entity, above)| {
            let attributes = self.attributes.get(entity).into_iter().flatten();
            let attributes =
                attributes.map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
            let above = above.iter().map(|above| uid(above)).collect();
            Entity::new(uid(entity), attributes, above).unwrap()
        });
        let entities = Entities::from_entities(entities, None).unwrap();
        let requests: Vec<Request> = asked
            .iter()
            .map(|Asked { user, kind, id, action, .. }| {
                let principal = uid(&format!(r#"User::"{user}""#));
                let action = uid(&format!(r#"Action::"{kind}.{action}""#));
                let resource = uid(&format!(r#"{kind}::"{id}""#));
                Request::new(principal, action, resource, Context::empty(), None).unwrap()
            })
            .collect();
        let authorizer = Authorizer::new();
        Box::new(move |at| {
            let answer = authorizer.is_authorized(&requests[at], &policies, &entities);
            assert_eq!(answer.diagnostics().errors().count(), 0);
            answer.decision() == Decision::Allow
        })
    }
}

/// A model, rules and groups.
pub(crate) struct Casbin {
    pub(crate) model: &'static str,
    pub(crate) rules: Vec<Vec<String>>,
    pub(crate) groups: Vec<(&'static str, Vec<Vec<String>>)>,
    /// Names what a question is about.
    pub(crate) object: fn(&Asked) -> String,
}

impl Casbin {
    pub(crate) fn answers(self, asked: &[Asked]) -> Answers {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let enforcer = runtime.block_on(async {
            let model = DefaultModel::from_str(self.model).await.unwrap();
            let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.unwrap();
            enforcer.add_policies(self.rules).await.unwrap();
            for (name, groups) in self.groups {
                enforcer.add_named_grouping_policies(name, groups).await.unwrap();
            }
            enforcer
        });
        let requests: Vec<[String; 3]> = asked
            .iter()
            .map(|asked| [format!("u{}", asked.user), (self.object)(asked), asked.action.clone()])
            .collect();
        Box::new(move |at| {
            let [subject, object, action] = &requests[at];
            enforcer.enforce((subject, object, action)).unwrap()
        })
    }
}
