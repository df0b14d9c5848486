//! What conditions are evaluated on.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, Value};
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::shape::Shape;

/// What one question may spend on all its conditions: a step of the interpreter, or so many bytes compared, costs one.
const PURSE: u64 = 250_000;
/// How many bytes are compared for the price of a step.
const BYTES_A_STEP: u64 = 64;

/// What the conditions of one question see, and what they may still cost.
pub struct View {
    context: Context<'static, 'static>,
    longest: u64,
    bytes: u64,
    left: Cell<u64>,
}

impl View {
    /// Makes the view. Numbers become doubles, as CEL has it for JSON.
    pub fn new(
        subject: &Json,
        action: &Json,
        resource: &Json,
        said: &Json,
        now: DateTime<Utc>,
    ) -> Self {
        static ENV: LazyLock<Arc<Env>> =
            LazyLock::new(|| Arc::new(Env::default().with_optional_support(false).with_stdlib()));
        let mut view = Self {
            context: Context::with_env(Arc::clone(&ENV)),
            longest: 0,
            bytes: 0,
            left: Cell::new(PURSE),
        };
        let named =
            [("subject", subject), ("action", action), ("resource", resource), ("context", said)];
        for (name, json) in named {
            let value = view.value(json);
            view.context.add_variable_from_value(name, value);
        }
        view.context.add_variable_from_value("now", Value::Timestamp(now.fixed_offset()));
        view
    }

    pub(super) const fn context(&self) -> &Context<'static, 'static> {
        &self.context
    }

    /// Pays for one evaluation, if enough is left.
    pub(super) fn spend(&self, shape: &Shape) -> bool {
        let each = self.bytes / BYTES_A_STEP + 1;
        let left = self.left.get().checked_sub(shape.most_steps(self.longest).saturating_mul(each));
        if let Some(left) = left {
            self.left.set(left);
        }
        left.is_some()
    }

    fn value(&mut self, json: &Json) -> Value {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        match json {
            Json::Null => Value::Null,
            Json::Bool(yes) => Value::Bool(*yes),
            Json::Number(number) => number.as_f64().map_or(Value::Null, Value::Float),
            Json::String(text) => {
                self.bytes = self.bytes.saturating_add(count(text.len()));
                Value::String(Arc::new(text.clone()))
            }
            Json::Array(list) => {
                self.longest = self.longest.max(count(list.len()));
                self.bytes = self.bytes.saturating_add(count(list.len()).saturating_mul(8));
                Value::List(Arc::new(list.iter().map(|element| self.value(element)).collect()))
            }
            Json::Object(map) => {
                self.longest = self.longest.max(count(map.len()));
                let mut values = HashMap::with_capacity(map.len());
                for (key, value) in map {
                    self.bytes = self.bytes.saturating_add(count(key.len()).saturating_add(8));
                    values.insert(key.clone(), self.value(value));
                }
                Value::Map(values.into())
            }
        }
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("left", &self.left).finish_non_exhaustive()
    }
}
