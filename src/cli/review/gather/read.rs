//! Reads lists to their last page.

use crate::client::{Client, NoReply};
use crate::proto::v1 as pb;

/// As many as a page may have.
const A_PAGE: i32 = 1000;
/// Users whose unused rights stand on a page: each may have hundreds.
const A_PAGE_OF_LISTS: i32 = 100;
/// So often the rights of a user are read from the first page, where something changes between two.
const BEGUN: usize = 5;

/// Makes nothing of what is not there, or not for whoever asks.
pub(super) fn seen<T>(reply: Result<T, NoReply>) -> Result<Option<T>, NoReply> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(NoReply::Unseen(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn account(client: &mut Client, id: &str) -> Result<pb::Account, NoReply> {
    let request = pb::GetAccountRequest { account_id: id.to_owned() };
    Ok(client.account(request).await?.account.unwrap_or_default())
}

pub(super) async fn below(client: &mut Client, id: &str) -> Result<Vec<pb::Account>, NoReply> {
    let mut request = pb::ListAccountsRequest {
        parent_account_id: id.to_owned(),
        recursive: true,
        page_size: A_PAGE,
        ..Default::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client.accounts(request.clone()).await?;
        all.extend(page.accounts);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

/// Reads users of an account, at most so many; says whether these are all.
pub(super) async fn users(
    client: &mut Client,
    account: &str,
    most: usize,
) -> Result<(Vec<pb::User>, bool), NoReply> {
    let mut request = pb::ListUsersRequest {
        account_id: account.to_owned(),
        flatten: true,
        page_size: A_PAGE,
        ..Default::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client.users(request.clone()).await?;
        all.extend(page.users);
        if all.len() > most {
            all.truncate(most);
            return Ok((all, false));
        }
        if page.next_page_token.is_empty() {
            return Ok((all, true));
        }
        request.page_token = page.next_page_token;
    }
}

/// Reads all that a user may do.
pub(super) async fn rights(
    client: &mut Client,
    user: &str,
) -> Result<Vec<pb::EffectiveRight>, NoReply> {
    let first = pb::GetEffectiveRightsRequest {
        user_id: user.to_owned(),
        page_size: A_PAGE,
        ..Default::default()
    };
    let (mut request, mut all, mut begun) = (first.clone(), Vec::new(), 1);
    loop {
        let page = match client.effective_rights(request.clone()).await {
            Ok(page) => page,
            // The pages are of one state; where there is another, they begin anew.
            Err(NoReply::Unfit(_)) if !request.page_token.is_empty() && begun < BEGUN => {
                (request, begun) = (first.clone(), begun + 1);
                all.clear();
                continue;
            }
            Err(error) => return Err(error),
        };
        all.extend(page.effective_rights);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

pub(super) async fn unused(
    client: &mut Client,
    account: &str,
    days: u16,
) -> Result<Vec<pb::UnusedRights>, NoReply> {
    let mut request = pb::ListUnusedRightsRequest {
        account_id: account.to_owned(),
        days: days.into(),
        page_size: A_PAGE_OF_LISTS,
        ..Default::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client.unused_rights(request.clone()).await?;
        all.extend(page.unused_rights);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

pub(super) async fn roles(client: &mut Client, account: &str) -> Result<Vec<pb::Role>, NoReply> {
    let mut request = pb::ListRolesRequest {
        account_id: account.to_owned(),
        page_size: A_PAGE,
        ..Default::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client.roles(request.clone()).await?;
        all.extend(page.roles);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}
