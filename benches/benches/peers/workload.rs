//! Data and questions, the same for every engine.

use benches::world;
use casbin::{CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use chancery::decision::Snapshot;
use chancery::model::ResourcePath;
use chancery::model::UserId;
use chancery::model::catalogue::Permission;

use crate::cedar::Cedar;

/// The model of `casbin` in which users are in groups.
pub(crate) const FLAT: &str = "
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
";

/// The model in which things are in things, too.
pub(crate) const NESTED: &str = "
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && g2(r.obj, p.obj) && r.act == p.act
";

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

/// Draws questions until there are so many permits and so many denies, one after the other.
pub(crate) fn half_permitted(each: usize, mut draw: impl FnMut() -> Asked) -> Vec<Asked> {
    let (mut permits, mut denies) = (Vec::new(), Vec::new());
    while permits.len() < each || denies.len() < each {
        let asked = draw();
        if asked.permit { permits.push(asked) } else { denies.push(asked) }
    }
    permits.truncate(each);
    denies.truncate(each);
    permits.into_iter().zip(denies).flat_map(|(permit, deny)| [permit, deny]).collect()
}

/// What all engines are given.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) size: String,
    pub(crate) asked: Vec<Asked>,
    pub(crate) ours: Ours,
    /// Few policies, and attributes.
    pub(crate) cedar: Cedar,
    /// A policy for each thing that is given, of which those are looked at that could apply.
    pub(crate) indexed: Cedar,
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
