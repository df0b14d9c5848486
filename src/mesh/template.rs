//! What a route's path looks like, and what it asks about.

use http::{HeaderMap, HeaderName};

use crate::model::{AccountId, Named, Pair, ResourcePath, decode_id};

/// The account of whoever's credential it is.
const OWN: &str = "own";
/// Before the name of a header whose value is an id.
const HEADER: &str = "header:";
/// What no upstream sees as it was sent: these are removed.
const REMOVED: &str = "x-chancery";
/// What may stand in a path unencoded; `;` may not, since some servers cut a step there.
const PLAIN: &[u8] = b"-._~!$&'()*+,=:@";

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// This word.
    Word(String),
    /// Any but nothing.
    Capture(String),
}

/// The paths that a route is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathTemplate(Vec<Step>);

/// What the steps of a path are that a template captures, by name.
pub(super) type Captures = Vec<(String, String)>;

impl PathTemplate {
    /// Reads `/v1/accounts/{account}/gate-groups/{group}`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let inside = text.strip_prefix('/').ok_or("does not begin with `/`")?;
        if inside.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let last = inside.split('/').count() - 1;
        let mut steps: Vec<Step> = Vec::new();
        for (place, step) in inside.split('/').enumerate() {
            if step.is_empty() && place < last {
                return Err("holds `//`".to_owned());
            }
            let step = read_step(step)?;
            if matches!(step, Step::Capture(_)) && steps.contains(&step) {
                return Err(format!("captures `{}` twice", name_of(&step)));
            }
            steps.push(step);
        }
        Ok(Self(steps))
    }

    /// Reads `package.Service/Method`.
    pub(super) fn of_method(text: &str) -> Result<Self, String> {
        let word = |word: &str| {
            word.split('.').all(|part| {
                part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
        };
        match text.split_once('/') {
            Some((service, method)) if word(service) && word(method) && !method.contains('.') => {
                let words = [service, method].map(|word| Step::Word(word.to_owned()));
                Ok(Self(words.to_vec()))
            }
            _ => Err("is not a method, such as `acme.v1.Gates/GetGate`".to_owned()),
        }
    }

    /// Returns what it captures of a path; `None` where the path is another's.
    pub(super) fn captures(&self, path: &[String]) -> Option<Captures> {
        if path.len() != self.0.len() {
            return None;
        }
        let mut captured = Captures::new();
        for (step, found) in self.0.iter().zip(path) {
            match step {
                Step::Word(word) if word == found => {}
                Step::Capture(name) if !found.is_empty() => {
                    captured.push((name.clone(), found.clone()));
                }
                Step::Word(_) | Step::Capture(_) => return None,
            }
        }
        Some(captured)
    }

    /// Returns whether it captures a step of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Capture(own) if own == name))
    }

    /// Returns whether some path is both this one's and another's.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|pair| match pair {
                (Step::Word(one), Step::Word(other)) => one == other,
                (Step::Word(word), Step::Capture(_)) | (Step::Capture(_), Step::Word(word)) => {
                    !word.is_empty()
                }
                (Step::Capture(_), Step::Capture(_)) => true,
            })
    }

    /// Returns whether each path of this one is another's too.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        self.meets(other) && !pairs.any(|pair| matches!(pair, (Step::Capture(_), Step::Word(_))))
    }

    /// Counts its words: of two that meet, where one is within the other, the narrower has more.
    pub(super) fn words(&self) -> usize {
        self.0.iter().filter(|step| matches!(step, Step::Word(_))).count()
    }
}

fn read_step(text: &str) -> Result<Step, String> {
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return capture(name).map(Step::Capture);
    }
    if text.contains(['{', '}']) {
        return Err(format!(
            "`{text}` captures a part of a step: a capture stands for a whole one"
        ));
    }
    if matches!(text, "." | "..") {
        return Err("holds a step of dots".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte)) {
        return Err(format!("`{text}` holds a character that no path is looked at with"));
    }
    Ok(Step::Word(text.to_owned()))
}

fn name_of(step: &Step) -> &str {
    match step {
        Step::Word(text) | Step::Capture(text) => text,
    }
}

fn capture(name: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(plain) {
        return Err(format!("`{{{name}}}` is no name: it is of a to z, digits and `_`"));
    }
    if name == OWN {
        return Err(format!("`{{{OWN}}}` is the account of whoever calls: capture another name"));
    }
    Ok(name.to_owned())
}

/// Where the account of a resource comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OfAccount {
    /// The configuration.
    Given(AccountId),
    /// The credential: it is the account of whoever's it is.
    Own,
    /// The path of the request.
    Path(String),
}

/// Where an id comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    /// The configuration.
    Given(Named),
    /// A step of the path.
    Path(String),
    /// A header.
    Header(HeaderName),
}

/// What a route asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResourceTemplate {
    pub(super) account: OfAccount,
    pairs: Vec<(String, Slot)>,
}

/// Why a request does not say what it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unnamed {
    /// A header is missing, or stands there twice.
    #[error("the header `{0}` is needed once")]
    Header(HeaderName),
    /// What it names cannot be there: nothing has such an id.
    #[error("`{0}` is no id that anything has")]
    Nothing(String),
}

impl ResourceTemplate {
    /// Reads `account/{account}/gate_group/{group}`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = text.split('/');
        let account = match (steps.next(), steps.next()) {
            (Some("account"), Some(slot)) => of_account(slot)?,
            _ => {
                return Err("does not begin with `account/` and where the account comes from, \
                             such as `account/{own}`"
                    .to_owned());
            }
        };
        let mut pairs = Vec::new();
        while let Some(kind) = steps.next() {
            let slot = steps.next().ok_or_else(|| format!("`{kind}` is not followed by an id"))?;
            pairs.push((kind.to_ascii_lowercase(), of_slot(slot)?));
        }
        Ok(Self { account, pairs })
    }

    /// Lists the steps of the path that it needs.
    pub(super) fn needed(&self) -> Vec<&str> {
        let account = match &self.account {
            OfAccount::Path(name) => Some(name.as_str()),
            OfAccount::Given(_) | OfAccount::Own => None,
        };
        let pairs = self.pairs.iter().filter_map(|(_, slot)| match slot {
            Slot::Path(name) => Some(name.as_str()),
            Slot::Given(_) | Slot::Header(_) => None,
        });
        account.into_iter().chain(pairs).collect()
    }

    /// Returns a path of this form, to be held against what the catalogues declare.
    pub(super) fn sample(&self) -> ResourcePath {
        let account = match self.account {
            OfAccount::Given(account) => account,
            OfAccount::Own | OfAccount::Path(_) => AccountId(uuid::Uuid::nil()),
        };
        let pairs = self.pairs.iter().map(|(kind, slot)| match slot {
            Slot::Given(named) => Pair { kind: kind.clone(), named: named.clone() },
            Slot::Path(name) => Pair { kind: kind.clone(), named: Named::Id(name.clone()) },
            Slot::Header(name) => Pair { kind: kind.clone(), named: Named::Id(name.to_string()) },
        });
        ResourcePath { account, pairs: pairs.collect() }
    }

    /// Names the resource; `own` is the account of whoever calls.
    pub(super) fn fill(
        &self,
        captured: &Captures,
        headers: &HeaderMap,
        own: AccountId,
    ) -> Result<ResourcePath, Unnamed> {
        let step = |name: &str| {
            let found = captured.iter().find(|(own, _)| own == name);
            found.map(|(_, text)| text.clone()).ok_or_else(|| Unnamed::Nothing(name.to_owned()))
        };
        let account = match &self.account {
            OfAccount::Given(account) => *account,
            OfAccount::Own => own,
            OfAccount::Path(name) => {
                let text = step(name)?;
                text.parse().map_err(|_| Unnamed::Nothing(text))?
            }
        };
        let mut path = ResourcePath::account(account);
        for (kind, slot) in &self.pairs {
            let named = match slot {
                Slot::Given(named) => named.clone(),
                Slot::Path(name) => Named::Id(step(name)?),
                Slot::Header(name) => Named::Id(header(headers, name)?),
            };
            path.pairs.push(Pair { kind: kind.clone(), named });
        }
        // An id that is too long, for one: what nothing can have is nobody's to reach.
        let text = path.to_string();
        let same = text.parse().ok().filter(|read| *read == path);
        same.ok_or(Unnamed::Nothing(text))
    }
}

/// Takes the one value of a header. Proxies join two by a comma, so a comma is two.
fn header(headers: &HeaderMap, name: &HeaderName) -> Result<String, Unnamed> {
    let needed = || Unnamed::Header(name.clone());
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(needed()) };
    let text = value.to_str().map(str::trim).map_err(|_| needed())?;
    if text.is_empty() || text.contains(',') { Err(needed()) } else { Ok(text.to_owned()) }
}

fn of_account(text: &str) -> Result<OfAccount, String> {
    match inside(text) {
        Some(OWN) => Ok(OfAccount::Own),
        Some(name) if name.starts_with(HEADER) => {
            Err("takes its account from a header, which anybody may send".to_owned())
        }
        Some(name) => capture(name).map(OfAccount::Path),
        None => text.parse().map(OfAccount::Given).map_err(|_| {
            format!("`{text}` is neither an account's id nor `{{{OWN}}}` nor a step of the path")
        }),
    }
}

fn of_slot(text: &str) -> Result<Slot, String> {
    let Some(name) = inside(text) else {
        return decode_id(text).map(Slot::Given).map_err(|error| format!("`{text}`: {error}"));
    };
    let Some(name) = name.strip_prefix(HEADER) else { return capture(name).map(Slot::Path) };
    let bad = || format!("`{name}` is no header that reaches whom the request is for");
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    if header.as_str().replace('_', "-").starts_with(REMOVED) {
        return Err(bad());
    }
    Ok(Slot::Header(header))
}

fn inside(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}
