//! Reading the sources: each value is tried by itself, so that one that is wrong does not hide the next.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::{Dict, Empty, Num, Value};

use super::Config;

const PREFIX: &str = "CHANCERY_";
/// Names the file; not a setting.
const FILE: &str = "CHANCERY_CONFIG";
/// Whose token commands ask with; not a setting.
const TOKEN: &str = "CHANCERY_TOKEN";
/// Where spans are sent, as programs of all kinds are told; what is said of it elsewhere goes before.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Values of these are not repeated in a problem.
const SECRET: [&str; 5] =
    ["master_key", "database_url", "mail.smtp_url", "mail.webhook_url", "mail.webhook_secret"];

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file that a flag names; goes before the one that `CHANCERY_CONFIG` names.
    pub file: Option<PathBuf>,
    /// The environment of the process.
    pub environment: Vec<(OsString, OsString)>,
    /// Keys and values that flags give.
    pub flags: Vec<(&'static str, String)>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which key, and where it stands unless it is a built-in value.
    pub key: String,
    /// What is wrong, and the way out.
    pub why: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.0.iter().try_for_each(|Problem { key, why }| write!(f, "\n  {key}: {why}"))
    }
}

impl std::error::Error for Problems {}

/// A value somewhere, and how to call the place.
struct Leaf {
    key: String,
    origin: String,
    value: Value,
}

impl Leaf {
    /// Names the place in a list that a fault is at.
    fn inside(&self, path: &[String]) -> String {
        let mut place = String::new();
        for step in path.iter().skip(self.key.split('.').count()) {
            let number = step.parse::<usize>().is_ok();
            let (before, behind) = if number { ("[", "]") } else { (".", "") };
            place.extend([before, step, behind]);
        }
        self.origin.replacen(&self.key, &format!("{}{place}", self.key), 1)
    }
}

/// What has been read so far.
struct Reader {
    defaults: Dict,
    taken: Figment,
    problems: Vec<Problem>,
}

pub(super) fn load(sources: Sources) -> Result<Config, Problems> {
    let mut reader = Reader::new();
    let mut variables = Vec::new();
    let mut file = sources.file;
    let mut endpoint = None;
    for (name, value) in sources.environment {
        if let (Some(ENDPOINT), Some(at)) = (name.to_str(), value.to_str())
            && !at.is_empty()
        {
            endpoint = Some(at.to_owned());
        }
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        match value.to_str() {
            // A variable that is set to nothing is as good as one that is not set.
            Some("") => {}
            // For the commands that ask a server: no setting of one.
            Some(_) if name == TOKEN => {}
            Some(path) if name == FILE => file = file.or_else(|| Some(PathBuf::from(path))),
            Some(value) => variables.push((name.to_owned(), value.to_owned())),
            None => reader.complain(name.to_owned(), "is not UTF-8"),
        }
    }
    if let Some(at) = endpoint {
        let key = "telemetry.otlp_endpoint".to_owned();
        reader.text(key.clone(), format!("{key} ({ENDPOINT})"), &at);
    }
    if let Some(path) = file {
        reader.file(&path);
    }
    for (name, value) in variables {
        reader.variable(&name, &value);
    }
    for (key, value) in sources.flags {
        let origin = format!("{key} (a flag)");
        reader.text(key.to_owned(), origin, &value);
    }
    reader.finish()
}

impl Reader {
    fn new() -> Self {
        let base = Figment::from(Serialized::defaults(Config::default()));
        // The built-in values hold nothing that cannot be written.
        let defaults = base.extract::<Dict>().unwrap_or_default();
        Self { defaults, taken: base, problems: Vec::new() }
    }

    fn complain(&mut self, key: String, why: impl Into<String>) {
        self.problems.push(Problem { key, why: why.into() });
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.complain(name, format!("cannot be read: {error}")),
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            // The parser's own rendering quotes the line, which may hold a secret.
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
                let why = format!("line {line} is not TOML: {}", error.message());
                return self.complain(name, why);
            }
        };
        let Ok(Value::Dict(_, dict)) = Value::serialize(&table) else {
            return self.complain(name, "is not a table");
        };
        let mut leaves = Vec::new();
        flatten("", dict, &name, &mut leaves);
        for leaf in leaves {
            self.take(leaf);
        }
    }

    fn variable(&mut self, name: &str, value: &str) {
        let key = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase().replace("__", ".");
        if self.default(&key).is_none() && is_service_link(name) {
            let why = "is none of ours: Kubernetes sets it for a service of this name; say `enableServiceLinks: false`";
            return self.complain(name.to_owned(), why);
        }
        self.text(key.clone(), format!("{key} ({name})"), value);
    }

    /// Takes a value that has been written as plain text.
    fn text(&mut self, key: String, origin: String, text: &str) {
        let plain = || Value::from(text);
        // What the built-in value is tells how to read the text: a name made of digits stays a name.
        let value = match self.default(&key) {
            Some(Value::Bool(..)) => text.parse::<bool>().map_or_else(|_| plain(), Value::from),
            Some(Value::Array(..)) if text.trim_start().starts_with('[') => list(text),
            Some(Value::Array(..)) => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Value::from(words.collect::<Vec<_>>())
            }
            Some(Value::Num(_, Num::F64(_))) => {
                text.parse::<f64>().map_or_else(|_| plain(), Value::from)
            }
            Some(Value::Num(..)) => text.parse::<u64>().map_or_else(|_| plain(), Value::from),
            _ => plain(),
        };
        self.take(Leaf { key, origin, value });
    }

    fn default(&self, key: &str) -> Option<&Value> {
        let mut steps = key.split('.');
        let first = self.defaults.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.as_dict()?.get(step))
    }

    fn take(&mut self, leaf: Leaf) {
        match self.default(&leaf.key) {
            None => {
                let why = format!("is not known; known here are {}", self.neighbours(&leaf.key));
                self.complain(leaf.origin, why);
            }
            // A table that says nothing leaves everything in it as it is.
            Some(Value::Dict(..)) if leaf.value.as_dict().is_some_and(Dict::is_empty) => {}
            Some(Value::Dict(_, inside)) => {
                let names: Vec<_> =
                    inside.keys().map(|name| format!("{}.{name}", leaf.key)).collect();
                self.complain(leaf.origin, format!("is a table; set {}", names.join(", ")));
            }
            Some(_) => {
                let value = Serialized::default(&leaf.key, leaf.value.clone());
                let alone = Figment::from(Serialized::defaults(Config::default())).merge(&value);
                match alone.extract::<Config>() {
                    Ok(_) => self.taken = self.taken.clone().merge(value),
                    Err(error) => {
                        let origin = leaf.inside(&error.path);
                        let why = why(&leaf, error.kind);
                        self.complain(origin, why);
                    }
                }
            }
        }
    }

    /// Names the keys that stand where `key` was sought.
    fn neighbours(&self, key: &str) -> String {
        let table = key.rsplit_once('.').map(|(table, _)| table);
        let inside = table.and_then(|table| self.default(table)?.as_dict());
        let names = inside.unwrap_or(&self.defaults).keys();
        let names = names.map(|name| match table.filter(|_| inside.is_some()) {
            Some(table) => format!("{table}.{name}"),
            None => name.clone(),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    fn finish(mut self) -> Result<Config, Problems> {
        match self.taken.extract::<Config>() {
            Ok(config) => {
                self.problems.extend(config.check());
                if self.problems.is_empty() { Ok(config) } else { Err(Problems(self.problems)) }
            }
            Err(error) => {
                self.complain("configuration".to_owned(), error.to_string());
                Err(Problems(self.problems))
            }
        }
    }
}

/// Reads a list as the file would hold it. What is none stays a text, and is complained about as one.
fn list(text: &str) -> Value {
    let table = format!("list = {text}").parse::<toml::Table>().ok();
    let list = table.and_then(|table| Value::serialize(table.get("list")?).ok());
    list.unwrap_or_else(|| Value::from(text))
}

/// Lists the values of a table and of the tables in it, by their dotted keys.
fn flatten(prefix: &str, dict: Dict, file: &str, leaves: &mut Vec<Leaf>) {
    for (name, value) in dict {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Dict(_, inside) if !inside.is_empty() => flatten(&key, inside, file, leaves),
            value => leaves.push(Leaf { origin: format!("{key} (in {file})"), key, value }),
        }
    }
}

fn why(leaf: &Leaf, kind: Kind) -> String {
    let found = match &leaf.value {
        _ if SECRET.contains(&leaf.key.as_str()) => "the value".to_owned(),
        Value::String(_, text) => format!("`{text}`"),
        Value::Num(_, number) => {
            number.to_u128().map_or_else(|| "the number".to_owned(), |n| format!("`{n}`"))
        }
        Value::Bool(_, flag) => format!("`{flag}`"),
        Value::Empty(_, Empty::None | Empty::Unit) => "nothing".to_owned(),
        Value::Char(..) | Value::Dict(..) | Value::Array(..) => "the value".to_owned(),
    };
    match kind {
        _ if leaf.key.ends_with("listen") => {
            format!(
                "{found} is not an address with a port, such as `127.0.0.1:50051` or `[::1]:50051`"
            )
        }
        Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => match wanted.as_str() {
            "u16" | "u32" | "u64" | "usize" => format!("{found} is not a whole number that fits"),
            "a boolean" => format!("{found} is neither `true` nor `false`"),
            "a string" | "string" | "path string" => format!("{found} is not a text"),
            "a sequence" => format!("{found} is not a list: `[…]`"),
            wanted if wanted.starts_with("struct ") => format!("{found} is not a table: `{{ … }}`"),
            wanted => format!("{found} is not {wanted}"),
        },
        Kind::MissingField(name) => format!("`{name}` is missing"),
        Kind::UnknownField(name, known) => {
            format!("`{name}` is not known; known here are {}", known.join(", "))
        }
        Kind::DuplicateField(name) => format!("`{name}` stands here twice"),
        Kind::UnknownVariant(_, known) => format!("{found} is none of `{}`", known.join("`, `")),
        _ => format!("{found} cannot be used"),
    }
}

/// Tells a variable that Kubernetes sets in every container beside a service called `chancery`.
fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    rest == "PORT"
        || rest.starts_with("PORT_")
        || rest.contains("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
}
