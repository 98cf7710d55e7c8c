//! HTML from templates: embedded in a release, read anew from the disk in a debug build.

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use super::assets;

/// The templates, ready to be rendered.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

impl Templates {
    /// All templates; a name that a template uses and nobody gave is an error, not an empty string.
    pub fn new() -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.add_function("asset", |path: &str| assets::url(path));
        load(&mut env);
        Self(env)
    }

    /// The HTML of one template.
    ///
    /// # Panics
    /// When a template is broken or is not given what it uses: a test renders every one of them.
    pub fn render(&self, name: &str, model: impl Serialize) -> String {
        let rendered = self
            .0
            .get_template(name)
            .and_then(|template| template.render(Serde(model)));
        rendered.unwrap_or_else(|err| panic!("template {name}: {err:#}"))
    }

    /// The names of the templates that were used so far (in a debug build, which loads them as they are used).
    #[cfg(test)]
    pub fn used(&self) -> std::collections::BTreeSet<String> {
        self.0
            .templates()
            .map(|(name, _)| name.to_string())
            .collect()
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(debug_assertions)]
fn load(env: &mut Environment<'static>) {
    env.set_loader(minijinja::path_loader(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/templates"
    )));
}

#[cfg(not(debug_assertions))]
fn load(env: &mut Environment<'static>) {
    minijinja_embed::load_templates!(*env);
}
