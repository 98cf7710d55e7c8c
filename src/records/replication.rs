//! Whether a failover of the database would lose anything that was acknowledged. Knows no SQL.

/// What the server that is written to has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replication {
    /// Whether this server is a standby itself, which only reads.
    pub is_standby: bool,
    /// How many standbys follow it now.
    pub standbys: i64,
    /// Whether a commit is answered only when a standby has it.
    pub is_synchronous: bool,
}

impl Replication {
    /// Whether what was acknowledged can be lost by a failover, because a standby may not have it yet.
    pub fn may_lose(&self) -> bool {
        self.standbys > 0 && !self.is_synchronous
    }

    /// Whether somebody should do something about it.
    pub fn is_warning(&self) -> bool {
        self.is_standby || self.may_lose() || (self.is_synchronous && self.standbys == 0)
    }

    /// What that means, in a sentence for the operator.
    pub fn words(&self) -> &'static str {
        match self {
            Self {
                is_standby: true, ..
            } => {
                "This PostgreSQL server only reads (a standby): posts are refused. Point --database at the primary, or promote this one."
            }
            Self {
                standbys: 0,
                is_synchronous: true,
                ..
            } => {
                "Commits wait for a standby (synchronous_standby_names), and none is connected: posts are refused until one is."
            }
            Self { standbys: 0, .. } => "No standby follows this PostgreSQL server.",
            Self {
                is_synchronous: true,
                ..
            } => "A failover loses nothing that was acknowledged: commits wait for a standby.",
            _ => {
                "A failover may lose what was acknowledged just before it: no commit waits for a standby. Set synchronous_standby_names on the primary."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_standbys_that_nobody_waits_for_may_lose_something() {
        let of = |standbys, is_synchronous| Replication {
            is_standby: false,
            standbys,
            is_synchronous,
        };
        assert!(of(1, false).may_lose());
        assert!(!of(1, true).may_lose());
        assert!(!of(0, false).is_warning());
        assert!(of(0, true).words().contains("posts are refused"));
    }
}
