//! `tertulia people`: who has an account, and what the operator may do about it.

use clap::{Args, Subcommand, ValueEnum};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    beside::{Beside, refused},
    secret,
};
use crate::{
    app::StartError,
    clock::UnixMillis,
    config::{DatabaseConfig, LogConfig},
    domain::{Chat, accounts::Admission},
    error::Error,
    records::{Role, User},
    telemetry::SECURITY,
};

/// Who has an account, and what may be done about it; whether the server runs does not matter.
#[derive(Debug, Clone, Args)]
pub struct PeopleConfig {
    /// What to do
    #[command(subcommand)]
    pub deed: Deed,
}

/// What may be done about accounts.
#[derive(Debug, Clone, Subcommand)]
pub enum Deed {
    /// List everybody: name, role, since when, and who is deactivated
    List(Place),
    /// Open an account; the very first is an administrator's
    Add {
        /// Name of the account
        name: String,
        /// Make it an administrator's
        #[arg(long)]
        administrator: bool,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        stdin: bool,
        /// Where
        #[command(flatten)]
        place: Place,
    },
    /// Give somebody another role
    Role {
        /// Name of the account
        name: String,
        /// Their role from now on
        role: RoleName,
        /// Where
        #[command(flatten)]
        place: Place,
    },
    /// Shut somebody out: all their sessions end; what they wrote stays
    Deactivate {
        /// Name of the account
        name: String,
        /// Where
        #[command(flatten)]
        place: Place,
    },
    /// Let somebody in again
    Activate {
        /// Name of the account
        name: String,
        /// Where
        #[command(flatten)]
        place: Place,
    },
}

/// Where the chat is, and how log lines look.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Where the database is
    #[command(flatten)]
    pub database: DatabaseConfig,

    /// How log lines look
    #[command(flatten)]
    pub log: LogConfig,
}

/// A role as the operator writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Chats.
    Member,
    /// Also looks after the chat.
    Administrator,
}

impl PeopleConfig {
    /// How log lines look.
    pub fn log(&self) -> &LogConfig {
        &self.deed.place().log
    }
}

impl Deed {
    fn place(&self) -> &Place {
        match self {
            Self::List(place)
            | Self::Add { place, .. }
            | Self::Role { place, .. }
            | Self::Deactivate { place, .. }
            | Self::Activate { place, .. } => place,
        }
    }
}

/// Does it, and says what was done.
///
/// # Errors
/// A sentence for the operator; then nothing was changed.
pub async fn run(config: &PeopleConfig) -> Result<(), StartError> {
    let beside = Beside::open(&config.deed.place().database).await?;
    let done = carry_out(&beside.chat, &config.deed).await;
    beside.close().await;
    println!("{}", done?);
    Ok(())
}

async fn carry_out(chat: &Chat, deed: &Deed) -> Result<String, StartError> {
    match deed {
        Deed::List(_) => list(chat).await,
        Deed::Add {
            name,
            administrator,
            stdin,
            ..
        } => add(chat, name, *administrator, *stdin).await,
        Deed::Role { name, role, .. } => give_role(chat, name, *role).await,
        Deed::Deactivate { name, .. } => set_active(chat, name, false).await,
        Deed::Activate { name, .. } => set_active(chat, name, true).await,
    }
}

async fn list(chat: &Chat) -> Result<String, StartError> {
    let people = chat.all_people().await.map_err(refused)?;
    if people.is_empty() {
        return Ok("Nobody has an account yet.".into());
    }
    let name = |user: &User| user.person.name.chars().count();
    let width = people.iter().map(name).max().unwrap_or_default().max(4);
    let head = format!("{:width$}  {:13}  {}", "NAME", "ROLE", "SINCE");
    let lines = people.iter().map(|user| {
        let end = if user.is_banned { "  deactivated" } else { "" };
        let (name, role) = (&user.person.name, user.role.as_str());
        format!("{name:width$}  {role:13}  {}{end}", day(user.created))
    });
    let lines: Vec<_> = [head].into_iter().chain(lines).collect();
    Ok(lines.join("\n"))
}

/// The day in UTC.
fn day(at: UnixMillis) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).date().to_string()
}

async fn add(
    chat: &Chat,
    name: &str,
    administrator: bool,
    stdin: bool,
) -> Result<String, StartError> {
    let password = secret::new_password(stdin)?;
    let user = chat.sign_up(name, &password, &Admission::FREE).await;
    let mut user = user.map_err(refused)?;
    if administrator && user.role != Role::Administrator {
        let given = chat.set_role(user.person.id, Role::Administrator).await;
        given.map_err(refused)?;
        user.role = Role::Administrator;
    }
    let (name, role) = (&user.person.name, user.role.as_str());
    tracing::info!(target: SECURITY, event = "signed_up", user = user.person.id.0, name = ?name, role, by = "command");
    Ok(format!("{name} has an account now, as {role}."))
}

async fn give_role(chat: &Chat, name: &str, role: RoleName) -> Result<String, StartError> {
    let user = find(chat, name).await?;
    let role = match role {
        RoleName::Member => Role::Member,
        RoleName::Administrator => Role::Administrator,
    };
    let given = chat.set_role(user.person.id, role).await;
    given.map_err(refused)?;
    let (name, role) = (&user.person.name, role.as_str());
    tracing::info!(target: SECURITY, event = "role_changed", user = user.person.id.0, name = ?name, role, by = "command");
    Ok(format!("{name} is {role} now."))
}

async fn set_active(chat: &Chat, name: &str, is_active: bool) -> Result<String, StartError> {
    let user = find(chat, name).await?;
    let set = chat.set_banned(user.person.id, !is_active).await;
    set.map_err(refused)?;
    let (id, name) = (user.person.id.0, &user.person.name);
    if is_active {
        tracing::info!(target: SECURITY, event = "activated", user = id, name = ?name, by = "command");
        return Ok(format!("{name} may sign in again."));
    }
    tracing::info!(target: SECURITY, event = "deactivated", user = id, name = ?name, by = "command");
    Ok(format!(
        "{name} is shut out and signed out everywhere. What they wrote stays; `tertulia people activate {name}` lets \
         them in again."
    ))
}

/// The person with this name.
///
/// # Errors
/// A sentence for the operator: nobody has it.
pub(super) async fn find(chat: &Chat, name: &str) -> Result<User, StartError> {
    chat.user_named(name).await.map_err(|err| match err {
        Error::NotFound => StartError(format!(
            "nobody here is called {name:?}; `tertulia people list` lists everybody"
        )),
        err => refused(err),
    })
}
