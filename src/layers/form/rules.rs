//! The rules that `buf.validate` options state, read once into tests with their texts.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind as Described, MessageDescriptor, ReflectMessage,
    Value as Stated,
};

use super::FormError;
use super::check::{Check, Test, count};
use super::scalar::Kind;

/// The number of every `buf.validate` extension: of fields, of messages and of oneofs.
const EXTENSION: u32 = 1159;
const FIELD_EXTENSION: &str = "buf.validate.field";
const IGNORE_IF_ZERO_VALUE: i32 = 1;
const IGNORE_ALWAYS: i32 = 3;

/// What one field must be like.
#[derive(Debug, Default)]
pub(super) struct Rules {
    required: bool,
    ignore: Ignore,
    /// For the value, or for each item of a list.
    pub(super) each: Each,
    pub(super) list: Bounds,
}

/// What a single value must be like.
#[derive(Debug, Default)]
pub(super) struct Each {
    /// Whether the rules inside this message are not judged either.
    pub(super) unjudged: bool,
    /// Whether a zero value is not judged.
    pub(super) skip_zero: bool,
    pub(super) checks: Vec<Check>,
}

/// What a list must be like as a whole.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) least: Option<(u64, Box<str>)>,
    pub(super) most: Option<(u64, Box<str>)>,
    pub(super) unique: bool,
}

impl Bounds {
    pub(super) const fn any(&self) -> bool {
        self.least.is_some() || self.most.is_some() || self.unique
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Ignore {
    #[default]
    Never,
    IfZero,
    Always,
}

impl Rules {
    /// Reads the rules of `field`, refusing each that nothing here would enforce.
    pub(super) fn of(field: &FieldDescriptor) -> Result<Self, FormError> {
        let Some(stated) = stated(field)? else { return Ok(Self::default()) };
        let mut rules = Self::read(field, &field.kind(), field.is_list(), &stated)?;
        match rules.ignore {
            Ignore::Never => {}
            Ignore::IfZero => rules.each.skip_zero |= !field.is_list() && !field.is_map(),
            Ignore::Always => {
                rules = Self { each: Each { unjudged: true, ..Each::default() }, ..Self::default() }
            }
        }
        Ok(rules)
    }

    fn read(
        field: &FieldDescriptor,
        kind: &Described,
        list: bool,
        stated: &DynamicMessage,
    ) -> Result<Self, FormError> {
        let mut rules = Self::default();
        for (rule, value) in set_rules(field, stated)? {
            match (rule.name(), value) {
                ("required", Stated::Bool(required)) => rules.required = *required,
                ("ignore", Stated::EnumNumber(0)) => {}
                ("ignore", Stated::EnumNumber(IGNORE_IF_ZERO_VALUE)) => {
                    rules.ignore = Ignore::IfZero;
                }
                ("ignore", Stated::EnumNumber(IGNORE_ALWAYS)) => rules.ignore = Ignore::Always,
                ("repeated", Stated::Message(bounds)) if list => {
                    (rules.list, rules.each) = read_list(field, kind, bounds)?;
                }
                (name, Stated::Message(checks)) if !list && name == family(kind) => {
                    rules.each.checks = read_checks(field, kind, checks)?;
                }
                _ => return Err(unsupported(field, &rule)),
            }
        }
        Ok(rules)
    }

    /// What is wrong when the field is not sent, or is sent as zero and has no presence.
    pub(super) fn when_absent(&self, kind: Kind, presence: bool, list: bool) -> Option<&str> {
        if self.required {
            return Some("is required");
        }
        if presence || self.ignore != Ignore::Never {
            return None;
        }
        if list {
            return self.list.least.as_ref().filter(|(least, _)| *least > 0).map(|(_, why)| &**why);
        }
        self.each.checks.iter().find(|check| !check.holds(kind.zero())).map(|check| &*check.why)
    }
}

/// Refuses options of a message or a oneof that would state rules: none of those is enforced.
pub(super) fn refuse_others(message: &MessageDescriptor) -> Result<(), FormError> {
    let unread = |options: &DynamicMessage, at: &str| {
        let known = options.extensions().any(|(extension, _)| extension.number() == EXTENSION);
        if known || options.unknown_fields().any(|field| field.number() == EXTENSION) {
            return Err(FormError::Unsupported {
                at: at.to_owned(),
                rule: "(buf.validate)".into(),
            });
        }
        Ok(())
    };
    unread(&message.options(), message.full_name())?;
    message.oneofs().try_for_each(|oneof| unread(&oneof.options(), oneof.full_name()))
}

/// The `buf.validate` option of `field`.
fn stated(field: &FieldDescriptor) -> Result<Option<DynamicMessage>, FormError> {
    let options = field.options();
    if options.unknown_fields().any(|unknown| unknown.number() == EXTENSION) {
        return Err(FormError::Unread { at: field.full_name().to_owned() });
    }
    for (extension, value) in options.extensions() {
        if extension.number() == EXTENSION {
            return match value {
                Stated::Message(rules) if extension.full_name() == FIELD_EXTENSION => {
                    Ok(Some(rules.clone()))
                }
                _ => Err(FormError::Unread { at: field.full_name().to_owned() }),
            };
        }
    }
    Ok(None)
}

/// The rules that are set, after making sure that none could be set without being seen.
fn set_rules<'a>(
    field: &FieldDescriptor,
    stated: &'a DynamicMessage,
) -> Result<impl Iterator<Item = (FieldDescriptor, &'a Stated)>, FormError> {
    // Without presence `gte: 0` could not be told from no rule. False and "unspecified" may be.
    let blurred = stated.descriptor().fields().find(|rule| {
        let plain = matches!(rule.kind(), Described::Bool | Described::Enum(_));
        !rule.supports_presence() && !rule.is_list() && !plain
    });
    if let Some(rule) = blurred {
        return Err(FormError::Blurred { rule: rule.full_name().to_owned() });
    }
    let extended = stated.extensions().next().is_some();
    if extended || stated.unknown_fields().next().is_some() {
        return Err(FormError::Unread { at: field.full_name().to_owned() });
    }
    Ok(stated.fields())
}

/// The name of the group of rules for values of `kind`; empty where there is none.
fn family(kind: &Described) -> &'static str {
    match kind {
        Described::String => "string",
        Described::Bytes => "bytes",
        Described::Enum(_) => "enum",
        Described::Int32 => "int32",
        Described::Int64 => "int64",
        Described::Uint32 => "uint32",
        Described::Uint64 => "uint64",
        _ => "",
    }
}

fn read_list(
    field: &FieldDescriptor,
    kind: &Described,
    stated: &DynamicMessage,
) -> Result<(Bounds, Each), FormError> {
    let (mut bounds, mut each) = (Bounds::default(), Each::default());
    for (rule, value) in set_rules(field, stated)? {
        match (rule.name(), value) {
            ("min_items", Stated::U64(least)) => {
                let why = match least {
                    1 => "must not be empty".to_owned(),
                    _ => format!("must have at least {}", count(*least, "item")),
                };
                bounds.least = Some((*least, why.into()));
            }
            ("max_items", Stated::U64(most)) => {
                let why = format!("must have at most {}", count(*most, "item"));
                bounds.most = Some((*most, why.into()));
            }
            ("unique", Stated::Bool(false)) => {}
            // Whether two messages or two reals are the same is not ours to say.
            ("unique", Stated::Bool(true)) if !family(kind).is_empty() => bounds.unique = true,
            ("items", Stated::Message(items)) => {
                let rules = Rules::read(field, kind, false, items)?;
                if rules.required {
                    return Err(unsupported(field, &rule));
                }
                each = match rules.ignore {
                    Ignore::Always => Each { unjudged: true, ..Each::default() },
                    Ignore::IfZero => Each { skip_zero: true, ..rules.each },
                    Ignore::Never => rules.each,
                };
            }
            _ => return Err(unsupported(field, &rule)),
        }
    }
    Ok((bounds, each))
}

fn read_checks(
    field: &FieldDescriptor,
    kind: &Described,
    stated: &DynamicMessage,
) -> Result<Vec<Check>, FormError> {
    let mut tests = Vec::new();
    for (rule, value) in set_rules(field, stated)? {
        let test = match kind {
            Described::String => text_test(field, rule.name(), value)?,
            Described::Bytes => bytes_test(rule.name(), value),
            Described::Enum(described) if rule.name() == "defined_only" => match value {
                Stated::Bool(true) => Some(Test::Defined(described.clone())),
                _ => continue,
            },
            Described::Enum(_) => None,
            _ => number_test(rule.name(), value),
        };
        // A rule that says false asks for nothing.
        if test.is_none() && matches!(value, Stated::Bool(false)) {
            continue;
        }
        tests.push((rule.number(), test.ok_or_else(|| unsupported(field, &rule))?));
    }
    // In order of their numbers lengths come first, so that a pattern never reads a book.
    tests.sort_by_key(|(number, _)| *number);
    let mut tests: Vec<Test> = tests.into_iter().map(|(_, test)| test).collect();
    if matches!(kind, Described::String) && !tests.is_empty() {
        tests.push(Test::NoNul);
    }
    if Test::contradict(&tests) {
        return Err(FormError::Contradiction { at: field.full_name().to_owned() });
    }
    Ok(tests.into_iter().map(Check::new).collect())
}

fn text_test(
    field: &FieldDescriptor,
    rule: &str,
    value: &Stated,
) -> Result<Option<Test>, FormError> {
    Ok(Some(match (rule, value) {
        ("const", Stated::String(one)) => Test::In(vec![one.as_str().into()]),
        ("in", Stated::List(all)) => {
            Test::In(all.iter().filter_map(Stated::as_str).map(Into::into).collect())
        }
        ("min_len", Stated::U64(least)) => Test::MinChars(*least),
        ("max_len", Stated::U64(most)) => Test::MaxChars(*most),
        ("min_bytes", Stated::U64(least)) => Test::MinBytes(*least),
        ("max_bytes", Stated::U64(most)) => Test::MaxBytes(*most),
        ("prefix", Stated::String(prefix)) => Test::Prefix(prefix.as_str().into()),
        ("pattern", Stated::String(pattern)) => {
            let at = || field.full_name().to_owned();
            Test::Pattern(
                regex::Regex::new(pattern)
                    .map_err(|source| FormError::Pattern { at: at(), source: Box::new(source) })?,
            )
        }
        ("email", Stated::Bool(true)) => Test::Email,
        ("uuid", Stated::Bool(true)) => Test::Uuid,
        _ => return Ok(None),
    }))
}

fn bytes_test(rule: &str, value: &Stated) -> Option<Test> {
    match (rule, value) {
        ("min_len", Stated::U64(least)) => Some(Test::MinBytes(*least)),
        ("max_len", Stated::U64(most)) => Some(Test::MaxBytes(*most)),
        _ => None,
    }
}

fn number_test(rule: &str, value: &Stated) -> Option<Test> {
    let bound = match value {
        Stated::I32(bound) => i128::from(*bound),
        Stated::I64(bound) => i128::from(*bound),
        Stated::U32(bound) => i128::from(*bound),
        Stated::U64(bound) => i128::from(*bound),
        _ => return None,
    };
    // Between whole numbers nothing lies, so two tests do for four rules.
    match rule {
        "gte" => Some(Test::AtLeast(bound)),
        "gt" => Some(Test::AtLeast(bound + 1)),
        "lte" => Some(Test::AtMost(bound)),
        "lt" => Some(Test::AtMost(bound - 1)),
        _ => None,
    }
}

fn unsupported(field: &FieldDescriptor, rule: &FieldDescriptor) -> FormError {
    FormError::Unsupported { at: field.full_name().to_owned(), rule: rule.full_name().to_owned() }
}
