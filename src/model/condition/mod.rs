//! Conditions of roles, in CEL (`model.md` §4 `when`, `edges.md` §3).
//!
//! A condition is a text from a stranger that is evaluated on the path of every decision, so it must never run long. Three
//! things see to that, none of which trusts the interpreter to stop:
//!
//! * **The form** ([`shape`]): at most 1 KiB, 16 levels and loops within loops two deep; no call but of functions that are
//!   listed, and no regular expressions. Nothing builds a value larger than what is put in: `+` adds numbers and times,
//!   not texts or lists, and there is no `map` or `filter`.
//! * **What is put in** is bounded by who takes it from the asker.
//! * **The cost**: the form gives the number of steps at each depth of loops, what is put in the longest list and the
//!   bytes. Their product is known before a condition is evaluated, and is taken from what one question may spend on all
//!   conditions together. What costs more than is left is not evaluated.

mod shape;
mod view;

use std::fmt;
use std::sync::Arc;

use cel::parser::{Expression, PrattParser};

use shape::Shape;
pub use view::View;

/// The longest text.
const LONGEST: usize = 1024;
/// The deepest nesting.
const DEEPEST: u16 = 16;

/// A condition: its text, and what it was compiled to. Two are equal if their texts are.
pub struct Condition {
    text: Arc<str>,
    program: Option<Program>,
}

struct Program {
    expression: Expression,
    shape: Shape,
}

/// What is wrong with the text of a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// No text.
    #[error("is empty")]
    Empty,
    /// Too much text.
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    /// It is no CEL.
    #[error("is no CEL: {0}")]
    Syntax(String),
    /// It is nested too deep.
    #[error("is nested deeper than {DEEPEST} levels")]
    TooDeep,
    /// Loops are nested too deep.
    #[error("has more than {} loops within each other", shape::MOST_LOOPS)]
    TooManyLoops,
    /// No such variable.
    #[error("`{}` is no variable; these are: {}", .0, shape::VARIABLES.join(", "))]
    UnknownVariable(String),
    /// No such field of a variable.
    #[error("`{variable}` has no field `{field}`; it has: {}", .known.join(", "))]
    UnknownField {
        /// Of what.
        variable: &'static str,
        /// As written.
        field: String,
        /// What there is.
        known: &'static [&'static str],
    },
    /// A loop's variable has the name of another.
    #[error("`{0}` is a variable already: name the loop's otherwise")]
    Shadowing(String),
    /// No such function.
    #[error("`{}` is no function that a condition may call; these are: {}", .0, shape::FUNCTIONS.join(", "))]
    UnknownFunction(String),
    /// CEL has it, conditions have not.
    #[error("{0} cannot be used in a condition")]
    NotHere(&'static str),
    /// It could never hold.
    #[error("can come to nothing but {0}, never to true or false")]
    NeverBool(&'static str),
}

/// Why a condition could not be evaluated. It holds no values but those that its own text has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A key is not there; `None` = one that is not in the text itself.
    #[error("{}", .0.as_ref().map_or_else(|| "a key is not there".to_owned(), |key| format!("there is no `{key}`")))]
    MissingKey(Option<String>),
    /// What it comes to is neither true nor false.
    #[error("it comes to neither true nor false")]
    NotBool,
    /// It would take too long on what it is given.
    #[error("it would cost too much on what was sent")]
    TooCostly,
    /// An operator or a function does not go with what it is given.
    #[error("an operator or a function does not go with what it is given")]
    Mismatch,
    /// What is stored can no longer be compiled.
    #[error("it can no longer be read")]
    Unreadable,
}

impl Condition {
    /// Compiles a condition, or says what is wrong with it.
    pub fn compile(text: &str) -> Result<Self, BadCondition> {
        if text.trim().is_empty() {
            return Err(BadCondition::Empty);
        }
        if text.len() > LONGEST {
            return Err(BadCondition::TooLong);
        }
        let expression = PrattParser::new()
            .max_recursion_depth(DEEPEST)
            .error_recovery_limit(1)
            .error_reporting_limit(1)
            .parse(text)
            .map_err(|errors| BadCondition::Syntax(said(&errors)))?;
        let shape = Shape::of(&expression)?;
        if let Some(what) = shape::surely(&expression.expr) {
            return Err(BadCondition::NeverBool(what));
        }
        Ok(Self { text: text.into(), program: Some(Program { expression, shape }) })
    }

    /// Compiles what was stored: a text that can no longer be compiled never holds.
    pub fn stored(text: &str) -> Self {
        Self::compile(text).unwrap_or_else(|_| Self { text: text.into(), program: None })
    }

    /// Returns the text, as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tests whether it holds, or says why that cannot be told. Costs what it may cost at most of what `view` has left.
    pub fn holds(&self, view: &View) -> Result<bool, Fault> {
        let program = self.program.as_ref().ok_or(Fault::Unreadable)?;
        if !view.spend(&program.shape) {
            return Err(Fault::TooCostly);
        }
        match cel::Value::resolve(&program.expression, view.context()) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(Fault::NotBool),
            Err(cel::ExecutionError::NoSuchKey(key)) => {
                let written = self.text.contains(key.as_str());
                Err(Fault::MissingKey(written.then(|| key.to_string())))
            }
            // What the interpreter says of the others quotes values.
            Err(_) => Err(Fault::Mismatch),
        }
    }
}

/// Returns where the first fault is and what it is.
fn said(errors: &cel::ParseErrors) -> String {
    let Some(first) = errors.errors.first() else { return "it cannot be read".to_owned() };
    let (line, column) = first.pos;
    format!("line {line}, column {column}: {}", first.msg.chars().take(200).collect::<String>())
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

#[cfg(test)]
mod tests;
