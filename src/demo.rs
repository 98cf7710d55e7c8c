//! A chat to look at: people, rooms and a few days of talk, in a data directory of its own.
//!
//! The past is acted out under a clock that stands still between two steps, by the same rules that people's posts
//! pass; nothing is written behind their back.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    app::{App, StartError},
    clock::Clock,
    config::Config,
    domain::{Chat, accounts::Admission, body::MessageBody, messages::Key},
    error::{Error, Result},
    ids::Seq,
    records::{Person, Room},
};

mod talk;

use talk::{Deed, TALK};

/// The password of all three.
const PASSWORD: &str = "tertulia-demo";
/// In the order of [`talk::Who`]; the first is the administrator.
const PEOPLE: [&str; 3] = ["ada", "ben", "carla"];
/// The public rooms of [`talk::Place`]; Ada's chats with the other two follow.
const ROOMS: [&str; 3] = ["General", "Developers", "Random"];
/// How long ago the last message was written.
const QUIET: Duration = Duration::from_secs(4 * 60);

/// The demo's own data directory, unless one was set.
pub fn config(config: Config) -> Config {
    Config {
        data: Some(config.data.unwrap_or_else(|| "demo-data".into())),
        ..config
    }
}

/// What the operator is told once the demo runs at `url`.
pub fn how_to_sign_in(url: &str) -> String {
    let mut words = format!(
        "Sign in as ada (the administrator), ben or carla. The password of each is {PASSWORD}\n"
    );
    if let Some(("http://127.0.0.1", port)) = url.rsplit_once(':') {
        words += &format!(
            "Two people in one browser: http://ada.localhost:{port} and http://ben.localhost:{port} keep them apart.\n"
        );
    }
    words + "The demo keeps what you write. Delete its data directory to begin afresh."
}

/// Fills an empty chat, before it is opened for the public; one that has people is left as it is, unless filling it was
/// interrupted. Then it is filled to the end: everything in it is found again by its name or key.
///
/// # Errors
/// A sentence for the operator.
pub async fn fill(config: &Config) -> Result<(), StartError> {
    let minutes = TALK.iter().map(|step| step.0).sum();
    let start = Clock::system().now().minus(QUIET + in_minutes(minutes));
    let clock = Clock::fixed(start.0);
    let app = App::open(config.clone(), clock.clone()).await?;
    let filled = fill_if_needed(&app.chat, &clock).await;
    app.close().await;
    filled.map_err(|err| StartError(format!("the demo could not be filled: {err}")))
}

async fn fill_if_needed(chat: &Chat, clock: &Clock) -> Result<()> {
    if !chat.is_fresh().await? && !chat.is_half_filled().await? {
        return Ok(());
    }
    chat.set_half_filled(true).await?;
    act_out(chat, clock).await?;
    chat.set_half_filled(false).await
}

async fn act_out(chat: &Chat, clock: &Clock) -> Result<()> {
    let mut people = Vec::new();
    for name in PEOPLE {
        people.push(sign_up(chat, name).await?);
    }
    let rooms = open_rooms(chat, &people[0]).await?;
    let mut latest = HashMap::new();
    for (index, &(pause, place, who, deed)) in TALK.iter().enumerate() {
        clock.advance(in_minutes(pause));
        let (room, person) = (rooms[place as usize].clone(), &people[who as usize]);
        let own = latest.get(&(place, who)).copied().ok_or(Error::NotFound);
        match deed {
            Deed::Says(text) => {
                let key = Key::parse(&format!("demo-message-{index:04}"))?;
                let posted = chat
                    .post(room, person.clone(), MessageBody::parse(text)?, key)
                    .await?;
                latest.insert((place, who), posted.seq);
            }
            Deed::Edits(text) => {
                let body = MessageBody::parse(text)?;
                unless_deleted(chat.edit(room, person.id, own?, body).await)?;
            }
            Deed::Deletes => unless_deleted(chat.delete(room, person.id, own?).await)?,
            Deed::Reads => chat.mark_read(room, person.id, Seq(i64::MAX)).await?,
        }
    }
    Ok(())
}

/// A new account, or the one that was opened before an interruption.
async fn sign_up(chat: &Chat, name: &str) -> Result<Person> {
    match chat.find_person(name).await? {
        Some(user) => Ok(user.person),
        None => Ok(chat.sign_up(name, PASSWORD, &Admission::FREE).await?.person),
    }
}

/// What was deleted before an interruption is not changed again.
fn unless_deleted<T>(done: Result<T>) -> Result<()> {
    match done {
        Ok(_) | Err(Error::NotFound) => Ok(()),
        Err(err) => Err(err),
    }
}

/// The rooms in the order of [`talk::Place`].
async fn open_rooms(chat: &Chat, ada: &Person) -> Result<Vec<Arc<Room>>> {
    let mut rooms = Vec::new();
    for name in ROOMS {
        let id = chat.create_room(name).await?;
        rooms.push(chat.room_for(ada.id, id).await?);
    }
    for name in &PEOPLE[1..] {
        let id = chat.open_direct(ada.id, name).await?;
        rooms.push(chat.room_for(ada.id, id).await?);
    }
    Ok(rooms)
}

fn in_minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}
