//! Several nodes, one chat.

mod live;
