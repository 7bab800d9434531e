//! `ipdect token`: makes, lists and revokes enrolment tokens.

use clap::{Subcommand, ValueEnum};
use ipdect_link::role::{Role as Wire, role_name};
use ipdect_proto::admin::v1::tokens_client::TokensClient;
use ipdect_proto::admin::v1::{CreateTokenRequest, ListTokensRequest, RevokeTokenRequest};

use super::{ClientError, Session};

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token; it is printed once and never again.
    Create {
        /// Who may enrol with it.
        #[arg(long)]
        role: Role,
        /// How often it may be used.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
        /// How long it is good for, hours.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
        hours: u32,
        /// Free text.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List tokens that may still be used.
    List,
    /// Make a token worthless.
    Revoke {
        /// From the list.
        id: String,
    },
}

/// Roles that enrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Base,
    Media,
    Admin,
    Host,
    Server,
}

impl From<Role> for Wire {
    fn from(role: Role) -> Self {
        match role {
            Role::Base => Self::Base,
            Role::Media => Self::Media,
            Role::Admin => Self::Admin,
            Role::Host => Self::Host,
            Role::Server => Self::Server,
        }
    }
}

/// Does it, and prints the outcome.
///
/// # Errors
/// [`ClientError`].
pub(crate) async fn run(session: &Session, task: Token) -> Result<(), ClientError> {
    let mut tokens = TokensClient::new(session.channel());
    match task {
        Token::Create {
            role,
            uses,
            hours,
            note,
        } => {
            let request = CreateTokenRequest {
                role: Wire::from(role).into(),
                uses,
                valid_s: hours * 3600,
                note,
            };
            let made = tokens.create(session.request(request)).await?.into_inner();
            println!("{}", made.text);
        }
        Token::List => {
            let request = session.request(ListTokensRequest {});
            for token in tokens.list(request).await?.into_inner().tokens {
                let (role, uses, note) = (role_name(token.role()), token.uses_left, &token.note);
                println!("{}  {role:8}{uses:>6} uses  {note}", token.id);
            }
        }
        Token::Revoke { id } => {
            tokens
                .revoke(session.request(RevokeTokenRequest { id }))
                .await?;
        }
    }
    Ok(())
}
