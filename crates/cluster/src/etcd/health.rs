//! How etcd's members are, and how much room is left.

use super::Etcd;
use super::fault::Fault;
use etcd_client::{AlarmAction, AlarmType};
use futures_util::future::join_all;

/// etcd's default for `--quota-backend-bytes`: 2 GiB.
pub(super) const DEFAULT_QUOTA: u64 = 2 * 1024 * 1024 * 1024;

/// All members as seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// In the order of the configuration.
    pub members: Vec<MemberHealth>,
    /// Alarms that etcd has raised.
    pub alarms: Vec<Alarm>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberHealth {
    /// As configured.
    pub endpoint: String,
    /// Its state, or why it did not tell it.
    pub state: Result<MemberState, String>,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberState {
    /// Its release, such as `3.4.23`.
    pub version: String,
    /// It leads.
    pub leads: bool,
    /// Octets of its database file. This counts against the quota.
    pub database: u64,
    /// Octets of it in use; the rest is free again after `etcdctl defrag`.
    pub in_use: u64,
    /// Its quota; told from etcd 3.6 on.
    pub quota: Option<u64>,
}

/// What etcd itself found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// The quota is reached: no row is taken until somebody makes room.
    NoSpace,
    /// Members differ in what they hold.
    Corrupt,
}

/// How much room is left in the fullest member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Less than half of the quota is used.
    Plenty,
    /// Half of it or more.
    Scarce,
    /// No row is taken any more.
    None,
}

impl Health {
    /// How much room is left. `quota` counts for members that do not tell theirs.
    #[must_use]
    pub fn room(&self, quota: u64) -> Room {
        if self.alarms.contains(&Alarm::NoSpace) {
            return Room::None;
        }
        let scarce = self
            .states()
            .any(|state| state.database >= state.quota.unwrap_or(quota).div_ceil(2));
        if scarce { Room::Scarce } else { Room::Plenty }
    }

    /// The members that answered.
    pub fn states(&self) -> impl Iterator<Item = &MemberState> {
        self.members
            .iter()
            .filter_map(|member| member.state.as_ref().ok())
    }
}

impl Etcd {
    /// Asks every member at once. Takes as long as one attempt at the slowest.
    pub async fn health(&self) -> Health {
        let members =
            join_all((0..self.pool.endpoints().count()).map(|index| self.state(index))).await;
        let answered = members.iter().position(|member| member.state.is_ok());
        Health {
            members,
            alarms: match answered {
                Some(index) => self.alarms(index).await.unwrap_or_default(),
                None => Vec::new(),
            },
        }
    }

    async fn state(&self, index: usize) -> MemberHealth {
        let limits = &self.limits;
        let status = self
            .pool
            .attempt(
                index,
                limits,
                limits.call,
                "a look at its state",
                |mut client| async move { client.status().await },
            )
            .await;
        let endpoint = self.pool.endpoint(index).to_owned();
        let octets = |count: i64| u64::try_from(count).unwrap_or(0);
        let state = status.map(|status| MemberState {
            version: status.version().to_owned(),
            leads: status
                .header()
                .is_some_and(|header| header.member_id() == status.leader()),
            database: octets(status.db_size()),
            in_use: octets(status.raft_used_db_size()),
            quota: Some(octets(status.db_size_quota())).filter(|quota| *quota > 0),
        });
        MemberHealth {
            endpoint,
            state: state.map_err(|fault| fault.what),
        }
    }

    async fn alarms(&self, index: usize) -> Result<Vec<Alarm>, Fault> {
        let limits = &self.limits;
        let answer =
            self.pool
                .attempt(
                    index,
                    limits,
                    limits.call,
                    "a look at alarms",
                    |mut client| async move {
                        client.alarm(AlarmAction::Get, AlarmType::None, None).await
                    },
                )
                .await?;
        let mut alarms = Vec::new();
        for alarm in answer.alarms() {
            let alarm = match alarm.alarm() {
                AlarmType::Nospace => Alarm::NoSpace,
                AlarmType::Corrupt => Alarm::Corrupt,
                AlarmType::None => continue,
            };
            if !alarms.contains(&alarm) {
                alarms.push(alarm);
            }
        }
        Ok(alarms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(database: u64, quota: Option<u64>, alarms: &[Alarm]) -> Health {
        let member = |database| MemberHealth {
            endpoint: "http://a:1".into(),
            state: Ok(MemberState {
                version: "3.4.23".into(),
                leads: false,
                database,
                in_use: 1,
                quota,
            }),
        };
        let gone = MemberHealth {
            endpoint: "http://b:1".into(),
            state: Err("gone".into()),
        };
        Health {
            members: vec![member(1), gone, member(database)],
            alarms: alarms.to_vec(),
        }
    }

    #[test]
    fn the_fullest_member_counts_and_its_own_word_for_its_quota() {
        assert_eq!(health(499, None, &[]).room(1000), Room::Plenty);
        assert_eq!(health(500, None, &[]).room(1000), Room::Scarce);
        assert_eq!(health(500, Some(2000), &[]).room(1000), Room::Plenty);
        assert_eq!(health(1, None, &[Alarm::Corrupt]).room(1000), Room::Plenty);
        assert_eq!(health(1, None, &[Alarm::NoSpace]).room(1000), Room::None);
    }
}
