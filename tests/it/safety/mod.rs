//! What must not be possible: each test sends a request or a frame, and there is one acceptable answer.

mod channel;
mod doors;
mod endings;
mod floods;
mod frames;
mod names;
mod oddities;
mod sessions;
mod texts;
