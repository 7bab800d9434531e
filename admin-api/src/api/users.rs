//! Users: list, add, change, remove.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::AccountRole;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::resource::Value;
use tonic::Status;

use super::Api;
use super::caller::Caller;
use super::upstream::{Actor, delete, put};

/// Rows of a page unless asked otherwise, and at the most.
const PAGE: (u32, u32) = (100, 1000);

/// Takes the rows of one page: `token` is the key of the last row of the page before.
pub(crate) fn page<T>(
    all: impl Iterator<Item = (String, T)>,
    size: u32,
    token: &str,
) -> (Vec<T>, String) {
    let size = if size == 0 { PAGE.0 } else { size.min(PAGE.1) } as usize;
    let mut rest = all
        .skip_while(|(key, _)| !token.is_empty() && key.as_str() <= token)
        .peekable();
    let mut rows = Vec::new();
    let mut last = String::new();
    while rows.len() < size {
        let Some((key, row)) = rest.next() else { break };
        last = key;
        rows.push(row);
    }
    let next = if rest.peek().is_some() {
        last
    } else {
        String::new()
    };
    (rows, next)
}

/// The user in a resource. His access code is for those who manage users.
pub(crate) fn user_of(resource: rows::Resource, role: AccountRole) -> Option<admin::User> {
    let Some(Value::User(mut user)) = resource.value else {
        return None;
    };
    if role < AccountRole::Operator {
        user.access_code.clear();
    }
    Some(user)
}

fn matches(user: &admin::User, filter: &str) -> bool {
    // An IPEI is typed as printed; other texts are not searched for their digits.
    let printed = filter
        .chars()
        .all(|c| c.is_ascii_digit() || " -*".contains(c));
    let digits: String = filter
        .chars()
        .filter(|c| printed && c.is_ascii_digit())
        .collect();
    let filter = filter.to_lowercase();
    filter.is_empty()
        || user.username.to_lowercase().contains(&filter)
        || user.display_name.to_lowercase().contains(&filter)
        || (!digits.is_empty() && user.ipei.contains(&digits))
}

impl Api {
    /// One page of users, ordered by name.
    ///
    /// # Errors
    /// For viewers and up.
    pub async fn users_list(
        &self,
        caller: &Caller,
        request: admin::ListUsersRequest,
    ) -> Result<admin::ListUsersResponse, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let all = self.upstream().list(rows::Kind::User).await?;
        let mut users: Vec<admin::User> = all
            .into_iter()
            .filter_map(|r| user_of(r, caller.role))
            .collect();
        users.retain(|u| matches(u, request.filter.trim()));
        users.sort_by(|a, b| (&a.username, &a.id).cmp(&(&b.username, &b.id)));
        let total = users.len() as u64;
        let keyed = users
            .into_iter()
            .map(|u| (format!("{}\u{0}{}", u.username, u.id), u));
        let (users, next_page_token) = page(keyed, request.page_size, &request.page_token);
        Ok(admin::ListUsersResponse {
            users,
            next_page_token,
            total,
        })
    }

    /// One user, by id or name.
    ///
    /// # Errors
    /// NOT_FOUND without one.
    pub async fn user_get(&self, caller: &Caller, id: &str) -> Result<admin::User, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let found = self.upstream().get(rows::Kind::User, id).await?;
        let user = found.and_then(|r| user_of(r, caller.role));
        user.ok_or_else(|| Status::not_found(format!("there is no user `{id}`")))
    }

    /// Adds a user.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every mistake.
    pub async fn user_create(
        &self,
        caller: &Caller,
        request: admin::CreateUserRequest,
    ) -> Result<admin::User, Status> {
        caller.must_be(AccountRole::Operator)?;
        let mut user = request
            .user
            .ok_or_else(|| Status::invalid_argument("user: is missing"))?;
        user.id.clear();
        user.revision = 0;
        let change = put(rows::Kind::User, "", 0, Value::User(user));
        self.write_user(caller, &request.reason, request.dry_run, change)
            .await
    }

    /// Changes a user; the revision must be the one that was read.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every mistake.
    pub async fn user_update(
        &self,
        caller: &Caller,
        request: admin::UpdateUserRequest,
    ) -> Result<admin::User, Status> {
        caller.must_be(AccountRole::Operator)?;
        let user = request
            .user
            .ok_or_else(|| Status::invalid_argument("user: is missing"))?;
        if user.id.is_empty() {
            return Err(Status::invalid_argument(
                "id: is missing; read the user first, then change it",
            ));
        }
        let (id, revision) = (user.id.clone(), user.revision);
        let change = put(rows::Kind::User, &id, revision, Value::User(user));
        self.write_user(caller, &request.reason, request.dry_run, change)
            .await
    }

    async fn write_user(
        &self,
        caller: &Caller,
        reason: &str,
        dry_run: bool,
        change: rows::Change,
    ) -> Result<admin::User, Status> {
        let written = self
            .upstream()
            .apply(&Actor::from(caller), reason, dry_run, vec![change])
            .await?;
        let user = written.into_iter().find_map(|r| user_of(r, caller.role));
        // A dry run has written nothing that could be shown.
        Ok(user.unwrap_or_default())
    }

    /// Removes a user. His handset stays subscribed, and free for another.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with the mistake.
    pub async fn user_delete(
        &self,
        caller: &Caller,
        request: admin::DeleteUserRequest,
    ) -> Result<(), Status> {
        caller.must_be(AccountRole::Operator)?;
        let change = delete(rows::Kind::User, &request.id, request.revision);
        self.upstream()
            .apply(&Actor::from(caller), &request.reason, false, vec![change])
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_without_gap_or_repetition() {
        let all = || {
            ["a", "b", "c", "d", "e"]
                .into_iter()
                .map(|k| (k.to_string(), k))
        };
        let (first, next) = page(all(), 2, "");
        assert_eq!((first, next.as_str()), (vec!["a", "b"], "b"));
        let (second, next) = page(all(), 2, &next);
        assert_eq!((second, next.as_str()), (vec!["c", "d"], "d"));
        let (third, next) = page(all(), 2, &next);
        assert_eq!((third, next.as_str()), (vec!["e"], ""));
    }

    #[test]
    fn a_user_is_found_by_name_number_and_handset() {
        let user = admin::User {
            username: "1001".into(),
            display_name: "Anna Berg".into(),
            ipei: "050030070387".into(),
            ..Default::default()
        };
        for filter in ["", "100", "berg", "0070387", "05003 0070387"] {
            assert!(matches(&user, filter), "{filter}");
        }
        assert!(!matches(&user, "1002"));
        assert!(
            !matches(&user, "room 1"),
            "the digits of a word are not an IPEI"
        );
    }
}
