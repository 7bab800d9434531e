//! What is wrong with a user.

use ipdect_dect::identity::Ipei;
use ipdect_proto::admin::v1 as admin;

use super::mistake::Mistakes;
use super::settings::{check_access_code, check_host};

/// Characters that a user part may hold unescaped, RFC 3261 section 25.1, beside letters and digits.
const USER_MARKS: &str = "-_.!~*'()&=+$,;?/";
/// Longest texts; a handset shows a few dozen characters at best.
const NAME_MAX: usize = 128;

/// The user's handset, if one is named and well written.
#[must_use]
pub fn ipei(user: &admin::User) -> Option<Ipei> {
    user.ipei.parse().ok()
}

/// Lists everything that is wrong with a user by itself; duplicates are the directory's business.
pub fn check(user: &admin::User, mistakes: &mut Mistakes) {
    if user.username.is_empty() {
        mistakes.add(
            "username",
            "",
            "is required: the user name or extension, such as 1001",
        );
    } else if user.username.len() > 64
        || !user
            .username
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || USER_MARKS.contains(c))
    {
        mistakes.add(
            "username",
            &user.username,
            "may have letters, digits and -_.!~*'()&=+$,;?/, 64 at most",
        );
    }
    if !user.ipei.is_empty()
        && let Err(error) = user.ipei.parse::<Ipei>()
    {
        mistakes.add(
            "ipei",
            &user.ipei,
            format!("{error}; it is printed in the handset, such as 05003 0070387"),
        );
    }
    if !user.domain.is_empty() {
        check_host("domain", &user.domain, mistakes);
    }
    check_access_code("access_code", &user.access_code, mistakes);
    for (field, text) in [
        ("display_name", &user.display_name),
        ("standby_text", &user.standby_text),
        ("auth_user", &user.auth_user),
    ] {
        if text.chars().count() > NAME_MAX || text.chars().any(char::is_control) {
            mistakes.add(
                field,
                text.escape_debug(),
                "may have 128 characters at most, and no control characters",
            );
        }
    }
    if user.auth_password.len() > 256 || user.auth_password.chars().any(char::is_control) {
        mistakes.add_secret(
            "auth_password",
            "may have 256 octets at most, and no control characters",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(user: &admin::User) -> Vec<(String, String)> {
        let mut mistakes = Mistakes::default();
        check(user, &mut mistakes);
        mistakes
            .into_list(0)
            .into_iter()
            .map(|m| (m.field, m.value))
            .collect()
    }

    #[test]
    fn a_name_is_all_that_a_user_needs() {
        let user = admin::User {
            username: "1001".into(),
            ..Default::default()
        };
        assert_eq!(wrong(&user), []);
    }

    #[test]
    fn a_wrong_check_digit_is_told_with_the_right_one() {
        let user = admin::User {
            username: "1001".into(),
            ipei: "05003 0070387 1".into(),
            ..Default::default()
        };
        let mut mistakes = Mistakes::default();
        check(&user, &mut mistakes);
        let list = mistakes.into_list(3);
        assert_eq!((list[0].change, list[0].field.as_str()), (3, "ipei"));
        assert!(list[0].remedy.contains('8'), "{}", list[0].remedy);
    }

    #[test]
    fn secrets_are_not_repeated_in_mistakes() {
        let user = admin::User {
            username: "a b".into(),
            access_code: "12x4".into(),
            ..Default::default()
        };
        assert_eq!(
            wrong(&user),
            [
                ("username".into(), "a b".into()),
                ("access_code".into(), String::new())
            ]
        );
    }
}
