//! What every page has: title, theme, zone, and whose it is.

use serde::Serialize;

use super::{Site, extract::Look};
use crate::{
    config::Signup,
    records::{Role, User},
};

/// How many avatar colours the style sheet has.
const HUES: i64 = 12;

/// What every page's template gets as `page`.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    title: String,
    /// Whether the icon bears a dot.
    unread: bool,
    theme: &'static str,
    tz: String,
    viewer: Option<Viewer>,
    signup_open: bool,
}

/// Whose page it is.
#[derive(Debug, Clone, Serialize)]
struct Viewer {
    id: i64,
    name: String,
    initials: String,
    hue: i64,
    admin: bool,
}

impl Page {
    /// A page for someone who is signed in.
    pub fn of(site: &Site, user: &User, look: &Look, title: String) -> Self {
        let person = &user.person;
        let viewer = Viewer {
            id: person.id.0,
            name: person.name.to_string(),
            initials: initials(&person.name),
            hue: hue(person.id.0),
            admin: user.role == Role::Administrator,
        };
        Self {
            viewer: Some(viewer),
            ..Self::anonymous(site, look, title)
        }
    }

    /// A page for anyone.
    pub fn anonymous(site: &Site, look: &Look, title: String) -> Self {
        let signup_open = site.app.config.signup == Signup::Open;
        Self {
            unread: title.starts_with('('),
            title,
            theme: look.theme.as_str(),
            tz: look.zone.name().into(),
            viewer: None,
            signup_open,
        }
    }

    /// A page about which nothing is known, as after an error.
    pub fn bare(site: &Site, title: &str) -> Self {
        Self::anonymous(site, &Look::default(), format!("{title} · Tertulia"))
    }
}

/// The title of a room's page, with what is unread everywhere.
pub fn title(unread: i64, name: Option<&str>) -> String {
    let count = if unread > 0 {
        format!("({unread}) ")
    } else {
        String::new()
    };
    match name {
        Some(name) => format!("{count}{name} · Tertulia"),
        None => format!("{count}Tertulia"),
    }
}

/// The colour of an avatar.
pub fn hue(id: i64) -> i64 {
    id.rem_euclid(HUES)
}

/// The letters in an avatar: the first of the first two words.
pub fn initials(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || "._-".contains(c));
    // "Odds & ends" is OE.
    let first = words
        .filter(|word| *word != "&" && *word != "+")
        .filter_map(|word| {
            word.chars()
                .find(|c| c.is_alphanumeric())
                .or_else(|| word.chars().next())
        });
    let letters: String = first.take(2).flat_map(char::to_uppercase).collect();
    if letters.is_empty() {
        "#".into()
    } else {
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_avatar_shows_the_first_letters_of_two_words() {
        for (name, letters) in [
            ("ada", "A"),
            ("Ada Lovelace King", "AL"),
            ("ada.l", "AL"),
            ("Odds & ends", "OE"),
            ("Émile", "É"),
            ("🎉 party", "🎉P"),
            ("#", "#"),
        ] {
            assert_eq!(initials(name), letters, "{name}");
        }
    }

    #[test]
    fn a_title_counts_what_is_unread() {
        assert_eq!(title(3, Some("General")), "(3) General · Tertulia");
        assert_eq!(title(0, None), "Tertulia");
    }
}
