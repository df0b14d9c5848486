//! Messages to users: put into a table by the change that they belong to, sent by [`crate::post`] afterwards (`edges.md` §5).
//!
//! A row is the message and the link in it at once. It holds no secret and no address; its digest is that of a token which is an HMAC
//! of all that it says, so that a row that somebody else wrote is worth nothing.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};

use super::batch::Step;
use super::rows::{account, corrupt, hash, outbox, read, user, word};
use super::{Error, Refusal, Store, Tx};
use crate::crypto::secret::{self, NoRandomness};
use crate::crypto::token::Secret;
use crate::crypto::{KeyRing, outbox as tokens, seal};
use crate::model::{Account, AccountId, Message, MessageId, MessageKind, User, UserId};

const TABLE: &str = "outbox";
/// A message is claimed for so many minutes when it is tried for the first time, then the second, and so on.
const CLAIMS: [i64; 5] = [1, 2, 4, 8, 16];
/// And for so many from then on.
const LAST_CLAIM: i64 = 30;

/// A message that is to be sent now, by whoever claimed it.
#[derive(Clone)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// What the row says that its token is found by.
    pub digest: [u8; 32],
    /// To whom.
    pub user: User,
    /// And where that user lives.
    pub account: Account,
}

/// Without the digest, which is kept from every log.
impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("message", &self.message).finish_non_exhaustive()
    }
}

/// Works out the token of a message.
pub fn message_token(keys: &KeyRing, message: &Message) -> Result<Secret, NoRandomness> {
    token(keys, &facts(message, Some(message.user)))
}

/// All that a row says but its digest, when it is sent and whether it is still good.
struct Facts {
    id: MessageId,
    user: Option<UserId>,
    kind: MessageKind,
    return_uri: String,
    create_time: DateTime<Utc>,
    expire_time: DateTime<Utc>,
}

fn facts(message: &Message, user: Option<UserId>) -> Facts {
    Facts {
        id: message.id,
        user,
        kind: message.kind,
        return_uri: message.return_uri.clone(),
        create_time: message.create_time,
        expire_time: message.expire_time,
    }
}

fn token(keys: &KeyRing, facts: &Facts) -> Result<Secret, NoRandomness> {
    let kind = match facts.kind {
        MessageKind::Reset => b"reset".as_slice(),
        MessageKind::Invite => b"invite",
    };
    let user = facts.user.map(|user| *user.0.as_bytes()).unwrap_or_default();
    let times =
        [facts.create_time, facts.expire_time].map(|at| at.timestamp_micros().to_be_bytes());
    let [create, expire] = &times;
    let said = [facts.id.0.as_bytes(), &user, kind, facts.return_uri.as_bytes(), create, expire];
    tokens::token(keys, &seal::context(&said))
}

/// Makes the row of a message, to be sent at once; of one to nobody, never.
fn row(keys: &KeyRing, facts: Facts) -> Result<outbox::ActiveModel, Error> {
    let token = token(keys, &facts).map_err(|why| corrupt(TABLE, &facts.id, &why))?;
    Ok(outbox::ActiveModel {
        id: Set(facts.id.0),
        user_id: Set(facts.user.map(|user| user.0)),
        kind: Set(word(TABLE, &facts.kind)?),
        digest: Set(token.digest(keys).to_vec()),
        return_uri: Set(facts.return_uri),
        create_time: Set(facts.create_time),
        expire_time: Set(facts.expire_time),
        next_time: Set(facts.user.is_some().then_some(facts.create_time)),
        tries: Set(0),
        end_time: Set(None),
    })
}

/// Reads the message of a row that has a user.
fn message(row: &outbox::Model, account: AccountId) -> Result<Option<Message>, Error> {
    let Some(user) = row.user_id else { return Ok(None) };
    let id = MessageId(row.id);
    Ok(Some(Message {
        id,
        user: UserId(user),
        account,
        kind: read(TABLE, &id, row.kind.clone().into())?,
        return_uri: row.return_uri.clone(),
        create_time: row.create_time,
        expire_time: row.expire_time,
    }))
}

impl Store {
    /// Puts down that somebody asked for another password, as a trace; `None` = for a name that nobody has. Either is one row.
    pub async fn ask_for_reset(
        &self,
        keys: &KeyRing,
        user: Option<UserId>,
        return_uri: &str,
    ) -> Result<(), Error> {
        let (kind, now) = (MessageKind::Reset, whole(self.clock().now()));
        let facts = Facts {
            id: MessageId::new(&**self.clock()),
            user,
            kind,
            return_uri: return_uri.to_owned(),
            create_time: now,
            expire_time: now + kind.life(),
        };
        let row = row(keys, facts)?;
        outbox::Entity::insert(row).exec_without_returning(self.traces()).await?;
        Ok(())
    }

    /// Claims messages that are to be sent now, for a minute or more: until then nobody else does, and then it is tried
    /// again, unless [`Store::message_sent`] was called.
    pub async fn claim_messages(&self, most: u64) -> Result<Vec<Outgoing>, Error> {
        use outbox::{Column, Entity};
        let now = self.clock().now();
        let due = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Expr::col(Column::NextTime).lte(now))
            .order_by(Column::NextTime, sea_orm::Order::Asc)
            .limit(most)
            .to_owned();
        let until = |minutes| Expr::val(now + TimeDelta::minutes(minutes));
        let claim =
            CLAIMS.into_iter().zip(0_i32..).fold(CaseStatement::new(), |case, (minutes, tries)| {
                case.case(Column::Tries.eq(tries), until(minutes))
            });
        let claimed = Entity::update_many()
            .col_expr(Column::NextTime, claim.finally(until(LAST_CLAIM)).into())
            .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
            .filter(Column::Id.in_subquery(due))
            // Held against the row once more when it is met: somebody else may have claimed it in between.
            .filter(Column::NextTime.lte(now))
            .exec_with_returning(self.traces())
            .await?;
        let mut outgoing = Vec::with_capacity(claimed.len());
        for row in claimed {
            let good = row.end_time.is_none() && now < row.expire_time;
            match self.outgoing(&row).await?.filter(|_| good) {
                Some(one) => outgoing.push(one),
                None => self.message_sent(MessageId(row.id)).await?,
            }
        }
        Ok(outgoing)
    }

    /// Returns how many messages are to be sent and have not been, and since when the oldest of them waits.
    pub async fn outbox_backlog(&self) -> Result<(u64, Option<DateTime<Utc>>), Error> {
        use outbox::{Column, Entity};
        let waiting = Entity::find()
            .select_only()
            .column_as(Column::Id.count(), "count")
            .column_as(Column::CreateTime.min(), "oldest")
            .filter(Column::NextTime.is_not_null())
            .into_tuple::<(i64, Option<DateTime<Utc>>)>()
            .one(self.credentials());
        let (count, oldest) = waiting.await?.unwrap_or_default();
        Ok((count.unsigned_abs(), oldest))
    }

    async fn outgoing(&self, row: &outbox::Model) -> Result<Option<Outgoing>, Error> {
        let Some(id) = row.user_id else { return Ok(None) };
        let found = user::Entity::find_by_id(id).one(self.credentials()).await?;
        let Some(user) = found.map(User::try_from).transpose()? else { return Ok(None) };
        let found = account::Entity::find_by_id(user.account.0).one(self.credentials()).await?;
        let Some(account) = found.map(Account::try_from).transpose()? else { return Ok(None) };
        let Some(message) = message(row, user.account)? else { return Ok(None) };
        let digest = hash(TABLE, &message.id, &row.digest)?;
        Ok(Some(Outgoing { message, digest, user, account }))
    }

    /// Notes that a message was sent, or is not to be.
    pub async fn message_sent(&self, id: MessageId) -> Result<(), Error> {
        outbox::Entity::update_many()
            .col_expr(outbox::Column::NextTime, Expr::val(Option::<DateTime<Utc>>::None))
            .filter(outbox::Column::Id.eq(id.0))
            .exec(self.traces())
            .await?;
        Ok(())
    }

    /// Finds a message by what its token is found by, if that may still be good, and the user and account that it is about.
    ///
    /// A row that says something else than when it was made is none of ours, though its digest be that of a token.
    pub async fn message_by_digest(
        &self,
        keys: &KeyRing,
        digest: &[u8; 32],
    ) -> Result<Option<Outgoing>, Error> {
        let row = outbox::Entity::find()
            .filter(outbox::Column::Digest.eq(digest.to_vec()))
            .filter(outbox::Column::EndTime.is_null())
            .filter(outbox::Column::ExpireTime.gt(self.clock().now()))
            .one(self.credentials())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let found = self.outgoing(&row).await?;
        Ok(found.filter(|found| {
            let token = message_token(keys, &found.message);
            token.is_ok_and(|token| secret::same(&token.digest(keys), digest))
        }))
    }

    /// Forgets messages whose links are worth nothing since `before`.
    pub async fn forget_messages(&self, before: DateTime<Utc>) -> Result<u64, Error> {
        let old = outbox::Column::ExpireTime.lt(before);
        let done = outbox::Entity::delete_many().filter(old).exec(self.traces()).await?;
        Ok(done.rows_affected)
    }
}

impl Tx {
    /// Puts a message to a user into the table, with the other changes of this write. The links of those before it end with it:
    /// only the newest is good.
    pub(super) fn post(
        &mut self,
        keys: &KeyRing,
        user: &User,
        kind: MessageKind,
        return_uri: String,
    ) -> Result<Message, Refusal> {
        let now = whole(self.now());
        let message = Message {
            id: MessageId::new(&**self.store.clock()),
            user: user.id,
            account: user.account,
            kind,
            return_uri,
            create_time: now,
            expire_time: now + kind.life(),
        };
        let row = row(keys, facts(&message, Some(user.id)))?;
        self.beside.push(outbox::Entity::insert(row).into_query().into());
        Ok(message)
    }

    /// Tells whether a link is good at this moment: not used, not ended, not expired, and the newest of its user.
    pub(super) async fn is_newest(&self, message: &Message) -> Result<bool, Error> {
        let newest = outbox::Entity::find()
            .filter(outbox::Column::UserId.eq(message.user.0))
            .order_by_desc(outbox::Column::Id)
            .one(&self.db)
            .await?;
        Ok(newest.is_some_and(|newest| {
            newest.id == message.id.0
                && newest.end_time.is_none()
                && self.now() < newest.expire_time
        }))
    }
}

/// Makes the links of users end at `now`.
pub(super) fn end_links(to: &mut Vec<Step>, users: &[uuid::Uuid], now: DateTime<Utc>) {
    if users.is_empty() {
        return;
    }
    let ended = outbox::Entity::update_many()
        .col_expr(outbox::Column::EndTime, Expr::val(now))
        .filter(outbox::Column::UserId.is_in(users.iter().copied()))
        .filter(outbox::Column::EndTime.is_null());
    to.push(Step::from_any(ended.into_query()));
}

/// Cuts a time to what both engines keep of one, since a token is worked out from it.
fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
