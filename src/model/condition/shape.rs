//! What the form of a condition may be, and what it costs.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators,
};

use super::{BadCondition, DEEPEST};

/// Loops within each other; `has` is none.
pub(super) const MOST_LOOPS: usize = 2;

/// What a condition sees.
pub(super) const VARIABLES: &[&str] = &["subject", "action", "resource", "context", "now"];

const FIELDS: &[(&str, &[&str])] = &[
    ("subject", &["id", "type", "kind", "account_id", "user_name", "properties"]),
    ("action", &["name", "properties"]),
    ("resource", &["type", "id", "path", "account_id", "properties"]),
];

/// What it may call by name.
pub(super) const FUNCTIONS: &[&str] = &[
    "has",
    "all",
    "exists",
    "exists_one",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "int",
    "uint",
    "double",
    "string",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

const OPERATORS: &[&str] = &[
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
    operators::NOT_STRICTLY_FALSE,
];

/// What evaluating a condition takes: steps at each depth of loops, and its own longest list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    steps: [u64; MOST_LOOPS + 1],
    longest: u64,
}

impl Shape {
    /// Checks an expression and measures it.
    pub(super) fn of(expression: &IdedExpr) -> Result<Self, BadCondition> {
        let mut reading = Reading { shape: Self::default(), loops: 0, names: Vec::new() };
        reading.read(expression, 0)?;
        Ok(reading.shape)
    }

    /// Returns the most steps that it takes where the longest list put in has `longest` elements.
    pub(super) fn most_steps(&self, longest: u64) -> u64 {
        let turns = longest.max(self.longest).max(1);
        let (mut all, mut times) = (0_u64, 1_u64);
        for steps in self.steps {
            all = all.saturating_add(steps.saturating_mul(times));
            times = times.saturating_mul(turns);
        }
        all
    }
}

struct Reading<'a> {
    shape: Shape,
    loops: usize,
    /// The variables of the loops around.
    names: Vec<&'a str>,
}

impl<'a> Reading<'a> {
    fn read(&mut self, at: &'a IdedExpr, depth: u16) -> Result<(), BadCondition> {
        if depth >= DEEPEST {
            return Err(BadCondition::TooDeep);
        }
        if let Some(steps) = self.shape.steps.get_mut(self.loops) {
            *steps += 1;
        }
        let below = depth + 1;
        match &at.expr {
            Expr::Unspecified => Err(BadCondition::NotHere("this")),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                field(&select.operand.expr, &select.field)?;
                self.read(&select.operand, below)
            }
            Expr::Call(call) => self.call(call, below),
            Expr::List(list) => {
                self.lasts(list.elements.len());
                list.elements.iter().try_for_each(|element| self.read(element, below))
            }
            Expr::Map(map) => {
                self.lasts(map.entries.len());
                map.entries.iter().try_for_each(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        self.read(&entry.key, below)?;
                        self.read(&entry.value, below)
                    }
                    EntryExpr::StructField(_) => Err(BadCondition::NotHere("a message")),
                })
            }
            Expr::Struct(_) => Err(BadCondition::NotHere("a message")),
            Expr::Comprehension(each) => self.each(each, below),
        }
    }

    fn lasts(&mut self, elements: usize) {
        let elements = u64::try_from(elements).unwrap_or(u64::MAX);
        self.shape.longest = self.shape.longest.max(elements);
    }

    fn variable(&self, name: &str) -> Result<(), BadCondition> {
        if VARIABLES.contains(&name) || self.names.contains(&name) {
            return Ok(());
        }
        Err(BadCondition::UnknownVariable(name.to_owned()))
    }

    fn call(&mut self, call: &'a CallExpr, below: u16) -> Result<(), BadCondition> {
        let name = call.func_name.as_str();
        match name {
            operators::MAP | operators::FILTER => {
                return Err(BadCondition::NotHere("`map` or `filter`"));
            }
            _ if OPERATORS.contains(&name) || FUNCTIONS.contains(&name) => {}
            _ => return Err(BadCondition::UnknownFunction(name.to_owned())),
        }
        match (name, call.args.as_slice()) {
            (operators::ADD, [one, other])
                if surely(&one.expr) != Some(NUMBER) && surely(&other.expr) != Some(NUMBER) =>
            {
                return Err(BadCondition::NotHere(
                    "`+` of two values of which neither is plainly a number, a time or a duration, \
                     as `int(…)` is,",
                ));
            }
            (operators::INDEX, [of, at]) => {
                if let Expr::Literal(LiteralValue::String(name)) = &at.expr {
                    field(&of.expr, name.inner())?;
                }
            }
            _ => {}
        }
        if let Some(target) = &call.target {
            self.read(target, below)?;
        }
        call.args.iter().try_for_each(|argument| self.read(argument, below))
    }

    fn each(&mut self, each: &'a ComprehensionExpr, below: u16) -> Result<(), BadCondition> {
        if matches!(each.accu_init.expr, Expr::List(_)) {
            return Err(BadCondition::NotHere("`map` or `filter`"));
        }
        if VARIABLES.contains(&each.iter_var.as_str()) {
            return Err(BadCondition::Shadowing(each.iter_var.clone()));
        }
        self.read(&each.iter_range, below)?;
        self.read(&each.accu_init, below)?;
        let (loops, names) = (self.loops, self.names.len());
        self.loops += 1;
        if self.loops > MOST_LOOPS {
            return Err(BadCondition::TooManyLoops);
        }
        self.names.push(&each.accu_var);
        self.names.push(&each.iter_var);
        self.names.extend(each.iter_var2.as_deref());
        self.read(&each.loop_cond, below)?;
        self.read(&each.loop_step, below)?;
        self.loops = loops;
        self.read(&each.result, below)?;
        self.names.truncate(names);
        Ok(())
    }
}

/// Refuses fields that a variable never has. A loop's variable has none of their names.
fn field(of: &Expr, field: &str) -> Result<(), BadCondition> {
    let Expr::Ident(name) = of else { return Ok(()) };
    let found = FIELDS.iter().find(|(variable, _)| variable == name);
    match found {
        Some((variable, known)) if !known.contains(&field) => {
            Err(BadCondition::UnknownField { variable, field: field.to_owned(), known })
        }
        _ => Ok(()),
    }
}

/// What `+` adds.
const NUMBER: &str = "a number, a time or a duration";
const TEXT: &str = "a text";
const MAP: &str = "a map";

/// Returns what a value can be nothing but, whatever is put in; `None` = that cannot be told, or true or false.
pub(super) fn surely(at: &Expr) -> Option<&'static str> {
    match at {
        Expr::Literal(literal) => match literal {
            LiteralValue::Boolean(_) => None,
            LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => Some(NUMBER),
            LiteralValue::String(_) => Some(TEXT),
            LiteralValue::Bytes(_) => Some("bytes"),
            LiteralValue::Null => Some("null"),
        },
        Expr::List(_) => Some("a list"),
        Expr::Map(_) => Some(MAP),
        // No loop's variable has the name of one of these.
        Expr::Ident(name) if name == "now" => Some(NUMBER),
        Expr::Ident(name) if VARIABLES.contains(&name.as_str()) => Some(MAP),
        Expr::Select(select) if !select.test => of_field(&select.operand.expr, &select.field),
        Expr::Call(call) => of_call(call),
        _ => None,
    }
}

fn of_field(of: &Expr, field: &str) -> Option<&'static str> {
    let Expr::Ident(name) = of else { return None };
    FIELDS.iter().find(|(variable, _)| variable == name)?;
    Some(if field == "properties" { MAP } else { TEXT })
}

fn of_call(call: &CallExpr) -> Option<&'static str> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        ("string", _) => Some(TEXT),
        (
            "int"
            | "uint"
            | "double"
            | "size"
            | "timestamp"
            | "duration"
            // Of texts or lists it is refused.
            | operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE,
            _,
        ) => Some(NUMBER),
        (operators::INDEX, [of, at]) => match &at.expr {
            Expr::Literal(LiteralValue::String(name)) => of_field(&of.expr, name.inner()),
            _ => None,
        },
        (operators::CONDITIONAL, [_, yes, no]) => {
            let (yes, no) = (surely(&yes.expr)?, surely(&no.expr)?);
            Some(if yes == no { yes } else { "no bool" })
        }
        (name, _) => name.starts_with("get").then_some(NUMBER),
    }
}
