//! `tertulia password`: a new password for somebody who has forgotten theirs.

use clap::Args;

use super::{
    beside::{Beside, refused},
    people::find,
    secret,
};
use crate::{
    app::StartError,
    config::{DatabaseConfig, LogConfig, PublicUrl},
    domain::Chat,
    records::User,
    telemetry::SECURITY,
};

/// For whom, and how.
#[derive(Debug, Clone, Args)]
pub struct PasswordConfig {
    /// Name of the account
    pub name: String,

    /// Print a link with which they set it themselves: it works once, for 24 hours
    #[arg(long, conflicts_with = "stdin")]
    pub link: bool,

    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub stdin: bool,

    /// Address that people type, for the link (https://chat.example.org)
    #[arg(long, env = "TERTULIA_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// Where the database is
    #[command(flatten)]
    pub database: DatabaseConfig,

    /// How log lines look
    #[command(flatten)]
    pub log: LogConfig,
}

/// Sets a password, or prints a link for it.
///
/// # Errors
/// A sentence for the operator; then nothing was changed.
pub async fn run(config: &PasswordConfig) -> Result<(), StartError> {
    let beside = Beside::open(&config.database).await?;
    let done = carry_out(&beside.chat, config).await;
    beside.close().await;
    println!("{}", done?);
    Ok(())
}

async fn carry_out(chat: &Chat, config: &PasswordConfig) -> Result<String, StartError> {
    let user = find(chat, &config.name).await?;
    let words = match config.link {
        true => link(chat, &user, config.public_url.as_ref()).await?,
        false => set(chat, &user, config.stdin).await?,
    };
    let name = &user.person.name;
    Ok(match user.is_banned {
        true => format!(
            "{words}\n{name} is shut out: `tertulia people activate {name}` lets them in again."
        ),
        false => words,
    })
}

async fn set(chat: &Chat, user: &User, stdin: bool) -> Result<String, StartError> {
    let password = secret::new_password(stdin)?;
    let set = chat.set_password(user.person.id, &password).await;
    set.map_err(refused)?;
    let name = &user.person.name;
    tracing::info!(target: SECURITY, event = "password_changed", user = user.person.id.0, name = ?name, by = "command");
    Ok(format!(
        "{name} has a new password, and is signed out everywhere."
    ))
}

async fn link(chat: &Chat, user: &User, public: Option<&PublicUrl>) -> Result<String, StartError> {
    let code = chat.make_password_link(user.person.id).await;
    let code = code.map_err(refused)?;
    let name = &user.person.name;
    tracing::info!(target: SECURITY, event = "password_link_made", user = user.person.id.0, name = ?name, by = "command");
    let path = format!("/password?code={}", code.as_str());
    Ok(match public {
        Some(url) => format!(
            "With this link {name} can set a new password. It works once, for 24 hours:\n{url}{path}"
        ),
        None => format!(
            "With this link {name} can set a new password. It works once, for 24 hours. Write the address of your chat \
             before it (or set --public-url):\n{path}"
        ),
    })
}
