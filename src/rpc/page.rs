//! Pages: a keyset cursor, encrypted and bound to caller, RPC and every field but the page's size (`edges.md` §3).

use std::fmt::Display;
use std::str::FromStr;

use tonic::Status;

use super::shared::Shared;
use crate::crypto::seal;
use crate::decision::Value;
use crate::layers::{Call, status};

const DEFAULT: usize = 50;
const MOST: usize = 1000;

/// Which page is asked for.
#[derive(Debug)]
pub(super) struct Page<C> {
    /// How many at most.
    pub(super) size: usize,
    /// Behind which.
    pub(super) after: Option<C>,
}

impl<C> Page<C> {
    /// How many rows to read: one more than wanted tells whether there is another page.
    pub(super) fn limit(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl Shared {
    /// Reads which page is asked for.
    pub(super) fn page<C: FromStr>(
        &self,
        call: &Call,
        size: i32,
        token: &str,
    ) -> Result<Page<C>, Status> {
        self.page_in(&context(call), size, token)
    }

    /// Reads which page is asked for, of a request that says what it is bound to.
    pub(super) fn page_in<C: FromStr>(
        &self,
        context: &[u8],
        size: i32,
        token: &str,
    ) -> Result<Page<C>, Status> {
        let size = usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(DEFAULT).min(MOST);
        if token.is_empty() {
            return Ok(Page { size, after: None });
        }
        let bad = || {
            let why = "is not a page token of this caller and this very request";
            status::bad_field("INVALID_PAGE_TOKEN", "page_token", why)
        };
        let cursor = seal::open_page(&self.keys, context, token).ok_or_else(bad)?;
        let cursor = String::from_utf8(cursor).map_err(|_| bad())?;
        Ok(Page { size, after: Some(cursor.parse().map_err(|_| bad())?) })
    }

    /// Makes the token of the page behind `last`.
    pub(super) fn next_page(&self, call: &Call, last: &dyn Display) -> String {
        self.next_page_in(&context(call), last)
    }

    /// Cuts what was read to what a page holds; returns the token of the next page, nothing where there is none.
    pub(super) fn cut<T, C: Display>(
        &self,
        call: &Call,
        rows: &mut Vec<T>,
        size: usize,
        cursor: impl Fn(&T) -> C,
    ) -> String {
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more);
        last.map(|last| self.next_page(call, &cursor(last))).unwrap_or_default()
    }

    /// Makes the token of the page behind `last`, of a request that says what it is bound to.
    pub(super) fn next_page_in(&self, context: &[u8], last: &dyn Display) -> String {
        seal::seal_page(&self.keys, context, last.to_string().as_bytes())
    }
}

fn context(call: &Call) -> Vec<u8> {
    let caller = call.caller.as_ref().map(|caller| caller.user.to_string()).unwrap_or_default();
    let mut facts: Vec<String> = call
        .ask
        .fields()
        .iter()
        .filter(|(path, _)| !matches!(*path, "page_size" | "page_token"))
        .map(|(path, value)| match value {
            Value::Text(text) => format!("{path}={text}"),
            Value::Number(number) => format!("{path}={number}"),
            Value::Set => path.to_owned(),
        })
        .collect();
    facts.sort_unstable();
    let mut parts = vec![caller.as_bytes(), call.ask.rule().method.as_bytes()];
    parts.extend(facts.iter().map(String::as_bytes));
    seal::context(&parts)
}
