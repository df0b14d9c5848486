//! Watching an evaluation: what an explanation is made of, and what a decision does not pay for.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::question::{Answer, Because, Missing};
use crate::model::catalogue::Part;
use crate::model::{Reach, Relation};

/// Who watches the one evaluator at work.
pub(super) trait Watch {
    /// Whether the first grant that covers ends the search, and nobody wants to know what else was looked at.
    const HASTY: bool;

    /// Is told that a step denies, and says whether that ends it.
    fn denies(&mut self, answer: Answer) -> ControlFlow<Answer>;

    /// Is told of one grant, or one part of a role, that was looked at. Not called for the hasty.
    fn looked_at(&mut self, looked: Looked);

    /// Is told why no grant need be looked at.
    fn barred(&mut self, bar: Bar);
}

/// Why no grant of anybody's would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bar {
    /// Nobody may do this to itself.
    NeverOnOneself,
    /// The account asked about is not there, or out of everybody's reach.
    NoSuchAccount,
    /// The path names an object of this service that is not there, or is elsewhere.
    NotThere,
}

/// One grant that was looked at, or one part of a role, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Which grant.
    pub because: Because,
    /// How far this part of it reaches; `None` for documents.
    pub reach: Option<Reach>,
    /// On which users.
    pub on: Option<Relation>,
    /// Under which condition.
    pub when: Option<Arc<str>>,
    /// Whether it covers the question, or which link failed.
    pub verdict: Result<(), Missing>,
    /// Whether the credential lets it count.
    pub counts: bool,
}

/// Nobody watches: the first reason ends it.
#[derive(Debug)]
pub(super) struct Unwatched;

impl Watch for Unwatched {
    const HASTY: bool = true;

    fn denies(&mut self, answer: Answer) -> ControlFlow<Answer> {
        ControlFlow::Break(answer)
    }

    fn looked_at(&mut self, _: Looked) {}

    fn barred(&mut self, _: Bar) {}
}

/// The search for a grant that covers a question.
pub(super) struct Sifting<'w, W> {
    pub(super) watch: &'w mut W,
    near: Missing,
    found: Option<(Because, bool)>,
}

impl<'w, W: Watch> Sifting<'w, W> {
    pub(super) const fn new(watch: &'w mut W) -> Self {
        Self { watch, near: Missing::NotGranted, found: None }
    }

    /// Takes in what came of one grant; returns whether the search is over.
    ///
    /// `counts`: whether the credential lets it count. One that counts goes before one that does not.
    pub(super) fn take(
        &mut self,
        because: &dyn Fn() -> Because,
        part: Option<&Part>,
        verdict: Result<(), Missing>,
        counts: bool,
    ) -> bool {
        self.note(because, part, verdict, counts);
        match verdict {
            Err(missing) => self.missed(missing),
            Ok(()) if self.found.as_ref().is_none_or(|(_, before)| counts && !before) => {
                self.found = Some((because(), counts));
            }
            Ok(()) => {}
        }
        W::HASTY && verdict.is_ok() && counts
    }

    /// Tells of one grant that was looked at, and goes on as if it had not been.
    pub(super) fn note(
        &mut self,
        because: &dyn Fn() -> Because,
        part: Option<&Part>,
        verdict: Result<(), Missing>,
        counts: bool,
    ) {
        if !W::HASTY {
            self.watch.looked_at(Looked {
                because: because(),
                reach: part.map(|part| part.reach),
                on: part.and_then(|part| part.on),
                when: part.and_then(|part| part.when.as_ref()).map(|when| Arc::from(when.text())),
                verdict,
                counts,
            });
        }
    }

    /// Notes that something not looked at comes so near.
    pub(super) fn missed(&mut self, missing: Missing) {
        self.near = self.near.max(missing);
    }

    /// Returns whether nothing covers so far.
    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_none()
    }

    /// Returns the grant and whether it counts, or how near the nearest came.
    pub(super) fn done(self) -> Result<(Because, bool), Missing> {
        self.found.ok_or(self.near)
    }
}
