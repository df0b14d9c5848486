//! Sessions: that they begin and go on are traces, that they end is an act on their user (`edges.md` §4, `model.md` §9).

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};

use super::etags::{session_etag, unchanged, user_etag};
use super::rows::{refresh_token, session};
use super::{Error, Refusal, Store, Tx, batch::Step, immediate};
use crate::model::{Change, ChangeKind, Image, Session, SessionId, SessionMarks, User, UserId};

/// How long a session lasts that refreshes put off, from the last one.
pub const SLIDING: TimeDelta = TimeDelta::days(14);
/// How long one lasts that nothing puts off.
pub const ABSOLUTE: TimeDelta = TimeDelta::hours(8);
/// No access token of a session that was ended is live after this.
const OUTLIVES: TimeDelta = TimeDelta::minutes(70);
/// So many rows are forgotten in one statement.
const BATCH: u64 = 1_000;
/// So many users are named in one question.
const AT_ONCE: usize = 500;

/// What became of a refresh token that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// It is none of ours.
    Unknown,
    /// Its session is over.
    Over,
    /// Another had been used in its place: somebody has a copy.
    Reused(Session),
    /// The session goes on.
    Done(Session),
}

impl Store {
    /// Begins a session, with a refresh token that is found by `digest`.
    pub async fn open_session(&self, session: Session, digest: [u8; 32]) -> Result<(), Error> {
        let (id, now) = (session.id, session.create_time);
        let db = immediate(self.traces()).await?;
        session::Entity::insert(session::ActiveModel::try_from(session)?)
            .exec_without_returning(&db)
            .await?;
        insert_token(&db, id, digest, None, now).await?;
        Ok(db.commit().await?)
    }

    /// Finds a session that has not been ended; it may have expired.
    pub async fn session(&self, id: SessionId) -> Result<Option<Session>, Error> {
        let row = session::Entity::find_by_id(id.0).one(self.credentials()).await?;
        row.map(Session::try_from).transpose()
    }

    /// Finds the session that a refresh token belongs to, whether it can still be used or not.
    pub async fn session_of_refresh(&self, digest: &[u8; 32]) -> Result<Option<Session>, Error> {
        let token = refresh_token::Entity::find_by_id(digest.to_vec());
        let Some(token) = token.one(self.credentials()).await? else { return Ok(None) };
        self.session(SessionId(token.session_id)).await
    }

    /// Lists a user's sessions that are not over, in order of id, from behind `after` on.
    pub async fn sessions_of(
        &self,
        user: UserId,
        after: Option<SessionId>,
        limit: u64,
    ) -> Result<Vec<Session>, Error> {
        let mut found = session::Entity::find()
            .filter(session::Column::UserId.eq(user.0))
            .filter(session::Column::ExpireTime.gt(self.clock().now()));
        if let Some(after) = after {
            found = found.filter(session::Column::Id.gt(after.0));
        }
        let found = found.order_by_asc(session::Column::Id).limit(limit);
        let rows = found.all(self.credentials()).await?;
        rows.into_iter().map(Session::try_from).collect()
    }

    /// Lists the sessions of some users that are not over, at most `limit` of them.
    pub async fn sessions_of_all(
        &self,
        users: &[UserId],
        limit: usize,
    ) -> Result<Vec<Session>, Error> {
        let mut found = Vec::new();
        for some in users.chunks(AT_ONCE) {
            let left = limit.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            let rows = session::Entity::find()
                .filter(session::Column::UserId.is_in(some.iter().map(|user| user.0)))
                .filter(session::Column::ExpireTime.gt(self.clock().now()))
                .limit(u64::try_from(left).unwrap_or(u64::MAX));
            found.extend(rows.all(self.credentials()).await?);
        }
        found.into_iter().map(Session::try_from).collect()
    }

    /// Uses a refresh token and makes the next one, in one transaction, so that a crash loses neither.
    ///
    /// A token may be used as long as none that was given for it has been: whoever did not get the answer asks again. Then
    /// it may not any more, nor any that was given in the place of the one that was used.
    pub async fn refresh_session(
        &self,
        digest: &[u8; 32],
        next: [u8; 32],
    ) -> Result<Refreshed, Error> {
        let now = self.clock().now();
        let db = immediate(self.traces()).await?;
        let token = refresh_token::Entity::find_by_id(digest.to_vec()).one(&db).await?;
        let Some(token) = token else { return Ok(Refreshed::Unknown) };
        // Two who come with one token are told apart here.
        let row = session::Entity::find_by_id(token.session_id).lock_exclusive();
        let Some(row) = row.one(&db).await? else { return Ok(Refreshed::Unknown) };
        let used = row.used.clone();
        let mut session = Session::try_from(row)?;
        if session.expire_time <= now {
            return Ok(Refreshed::Over);
        }
        let again = used.as_ref() == Some(&token.digest);
        if !again && token.parent != used {
            return Ok(Refreshed::Reused(session));
        }
        session.last_used_time = now;
        if session.sliding {
            session.expire_time = now + SLIDING;
        }
        session::Entity::update_many()
            .col_expr(session::Column::Used, Expr::val(digest.to_vec()))
            .col_expr(session::Column::LastUsedTime, Expr::val(now))
            .col_expr(session::Column::ExpireTime, Expr::val(session.expire_time))
            .filter(session::Column::Id.eq(session.id.0))
            .exec(&db)
            .await?;
        insert_token(&db, session.id, next, Some(digest), now).await?;
        db.commit().await?;
        Ok(Refreshed::Done(session))
    }

    /// Forgets sessions that are over, and refresh tokens that are older than any session lasts; returns how many sessions.
    pub async fn forget_sessions(&self) -> Result<u64, Error> {
        let now = self.clock().now();
        let old = refresh_token::Column::CreateTime.lt(now - SLIDING - OUTLIVES);
        refresh_token::Entity::delete_many().filter(old).exec(self.traces()).await?;
        let over = session::Entity::find()
            .select_only()
            .column(session::Column::Id)
            .filter(session::Column::ExpireTime.lt(now - OUTLIVES))
            .limit(BATCH);
        let over: Vec<uuid::Uuid> = over.into_tuple().all(self.credentials()).await?;
        if over.is_empty() {
            return Ok(0);
        }
        let db = immediate(self.traces()).await?;
        let of = refresh_token::Column::SessionId.is_in(over.iter().copied());
        refresh_token::Entity::delete_many().filter(of).exec(&db).await?;
        let these = session::Column::Id.is_in(over);
        let gone = session::Entity::delete_many().filter(these).exec(&db).await?;
        db.commit().await?;
        Ok(gone.rows_affected)
    }
}

async fn insert_token(
    db: &DatabaseTransaction,
    session: SessionId,
    digest: [u8; 32],
    parent: Option<&[u8; 32]>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let row = refresh_token::ActiveModel {
        digest: Set(digest.to_vec()),
        session_id: Set(session.0),
        parent: Set(parent.map(|parent| parent.to_vec())),
        create_time: Set(now),
    };
    refresh_token::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

impl Tx {
    /// Ends one session of a user; returns it as it was.
    ///
    /// Refuses one that is not there, is over, or is another user's; and a changed `etag`.
    pub async fn end_session(
        &mut self,
        user: UserId,
        id: SessionId,
        etag: &str,
    ) -> Result<Session, Refusal> {
        let unseen = || Refusal::unseen("session", id);
        let now = self.now();
        let row = session::Entity::find_by_id(id.0).one(&self.db).await.map_err(Error::from)?;
        let session = row.map(Session::try_from).transpose()?.ok_or_else(unseen)?;
        let marked = self.world().user(session.user).map(|user| user.session_marks.clone());
        let voided = marked.flatten().is_some_and(|marks| marks.voids(id, session.auth_time));
        if session.user != user || session.expire_time <= now || voided {
            return Err(unseen());
        }
        unchanged(etag, &session_etag(&session))?;
        self.close_session(&session, ChangeKind::SessionRevoke).await?;
        Ok(session)
    }

    /// Ends a session, for the reason `kind`. Of a user who is gone nothing is left to end.
    pub async fn close_session(
        &mut self,
        session: &Session,
        kind: ChangeKind,
    ) -> Result<(), Refusal> {
        let now = self.now();
        let Some(before) = self.user(session.user).await? else { return Ok(()) };
        let marks = before.session_marks.with_ended(session.id, now + OUTLIVES, now);
        self.mark(kind, before, marks)?;
        let this = Condition::all().add(session::Column::Id.eq(session.id.0));
        self.forget(this);
        Ok(())
    }

    /// Ends all sessions of a user that began until now, but for `spared`; its API tokens stay.
    pub async fn end_sessions(
        &mut self,
        user: UserId,
        spared: Option<SessionId>,
        kind: ChangeKind,
        etag: &str,
    ) -> Result<(), Refusal> {
        let before = self.user(user).await?.filter(|user| user.delete_time.is_none());
        let before = before.ok_or_else(|| Refusal::unseen("user", user))?;
        unchanged(etag, &user_etag(self.world(), &before))?;
        let marks = before.session_marks.with_all_ended(self.now(), spared);
        self.mark(kind, before, marks)?;
        self.drop_sessions(user, spared);
        Ok(())
    }

    /// Takes away the rows of a user's sessions, but for `spared`, with the changes of this write.
    pub fn drop_sessions(&mut self, user: UserId, spared: Option<SessionId>) {
        let mut these = Condition::all().add(session::Column::UserId.eq(user.0));
        if let Some(spared) = spared {
            these = these.add(session::Column::Id.ne(spared.0));
        }
        self.forget(these);
    }

    pub(super) fn mark(
        &mut self,
        kind: ChangeKind,
        before: User,
        marks: SessionMarks,
    ) -> Result<(), Error> {
        let after = User { session_marks: marks, ..before.clone() };
        let (before, after) = (Some(Image::User(before)), Some(Image::User(after)));
        let account = match &after {
            Some(Image::User(user)) => user.account,
            _ => self.world().tenant(),
        };
        self.put(Change { account, kind, before, after })
    }

    /// Takes away sessions with all their tokens.
    fn forget(&mut self, these: Condition) {
        let ids = Query::select()
            .column(session::Column::Id)
            .from(session::Entity)
            .cond_where(these.clone())
            .take();
        let tokens = refresh_token::Entity::delete_many()
            .filter(Expr::col(refresh_token::Column::SessionId).in_subquery(ids));
        self.beside.push(Step::from_any(tokens.into_query()));
        let sessions = session::Entity::delete_many().filter(these);
        self.beside.push(Step::from_any(sessions.into_query()));
    }

    /// Writes the row of an assumed session with the changes of this write; it has no refresh token.
    pub(super) fn begin_session(&mut self, session: Session) -> Result<(), Error> {
        let row = session::ActiveModel::try_from(session)?;
        self.beside.push(session::Entity::insert(row).into_query().into());
        Ok(())
    }
}
