//! Hearing what others say: only about rooms and people that somebody here listens to, about the lobby, and about nodes.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use redis::{PushInfo, PushKind, Value};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{AGAIN, Channel, Heard, Link, NodeWord, QUEUE, Redis, Topic, Word, link::Ear};
use crate::realtime::wire;

/// How many channels one command names.
const TOGETHER: usize = 200;
/// How long a channel without listeners is kept: whoever opens another room or loads a page again comes back to it.
const LINGER: Duration = Duration::from_secs(30);

/// Which channels are to be listened to.
#[derive(Default)]
struct Wanted {
    /// Every one, and until when, if nobody here listens any more.
    all: HashMap<Topic, Option<Instant>>,
    /// Those that Redis was not told of yet.
    untold: HashSet<Channel>,
}

impl Redis {
    pub(super) async fn listen(self, heard: mpsc::Sender<Heard>) {
        loop {
            let (pushes, said) = mpsc::channel(QUEUE);
            let link = self.open(pushes).await;
            tokio::select! {
                () = self.keep_listening(&link) => {}
                () = self.hear(said, &heard) => {}
                () = self.0.dead.notified() => {}
            }
        }
    }

    async fn open(&self, pushes: mpsc::Sender<PushInfo>) -> Link {
        loop {
            match Link::open(&self.0.place, Some(self.ear(pushes.clone()))).await {
                Ok(link) => return link,
                Err(err) => tracing::debug!(error = %err, "no line to Redis to listen on yet"),
            }
            sleep(AGAIN).await;
        }
    }

    /// Passes on what Redis says. What finds the queue full is lost, and the database knows of it.
    fn ear(&self, pushes: mpsc::Sender<PushInfo>) -> Ear {
        let redis = self.clone();
        Box::new(move |push| {
            if push.kind == PushKind::Disconnection {
                redis.0.cut.notify_one();
                redis.0.hub.note_missed();
            } else if pushes.try_send(push).is_err() {
                redis.0.counts.dropped.fetch_add(1, Relaxed);
                redis.0.hub.note_missed();
            }
        })
    }

    /// Listens to what somebody here wants to hear. After the line was cut everything is said again: it may have come
    /// back on another server.
    async fn keep_listening(&self, link: &Link) {
        let mut wanted = Wanted::default();
        wanted.follow(&self.0.hub.topics());
        wanted.all.insert(Topic::Lobby, None);
        wanted.tell_all(self.own());
        loop {
            self.say_wanted(link, &mut wanted).await;
            let next = wanted.all.values().flatten().min().copied();
            let retry = (!wanted.untold.is_empty()).then(|| Instant::now() + AGAIN);
            let far = Instant::now() + LINGER;
            let until = next.into_iter().chain(retry).fold(far, Instant::min);
            tokio::select! {
                touched = self.0.hub.touched() => wanted.follow(&touched),
                () = self.0.cut.notified() => wanted.tell_all(self.own()),
                () = sleep_until(until) => {}
            }
            let gone = wanted.take_gone(Instant::now());
            let gone: Vec<_> = gone.iter().map(|it| it.name(&self.0.house)).collect();
            for gone in gone.chunks(TOGETHER) {
                if let Err(err) = link.leave(gone, self.is_sharded().await).await {
                    tracing::debug!(error = %err, "channels that nobody needs stay open");
                }
            }
        }
    }

    async fn say_wanted(&self, link: &Link, wanted: &mut Wanted) {
        let untold: Vec<_> = wanted.untold.iter().cloned().collect();
        for channels in untold.chunks(TOGETHER) {
            let names: Vec<_> = channels.iter().map(|it| it.name(&self.0.house)).collect();
            match link.listen(&names, self.is_sharded().await).await {
                Ok(()) => channels.iter().for_each(|it| {
                    wanted.untold.remove(it);
                }),
                Err(err) => {
                    tracing::debug!(error = %err, "cannot listen to Redis yet");
                    self.note_refusal(err);
                    return;
                }
            }
        }
    }

    async fn hear(&self, mut said: mpsc::Receiver<PushInfo>, heard: &mpsc::Sender<Heard>) {
        while let Some(push) = said.recv().await {
            match push.kind {
                PushKind::SMessage | PushKind::Message => self.pass_on(&push.data, heard),
                // What was said until now was not heard.
                PushKind::SSubscribe | PushKind::Subscribe => self.0.hub.note_missed(),
                _ => {}
            }
        }
    }

    fn pass_on(&self, data: &[Value], heard: &mpsc::Sender<Heard>) {
        let [Value::BulkString(channel), Value::BulkString(word)] = data else {
            return;
        };
        let channel = std::str::from_utf8(channel).ok();
        let channel = channel.and_then(|name| Channel::parse(name, &self.0.house));
        let said = match (channel, wire::read(word)) {
            (Some(Channel::Own(_)), Ok((_, Word::Node(NodeWord::Beat(_))))) => {
                self.0.beat.send_replace(Some(Instant::now()));
                return;
            }
            (Some(Channel::Own(_)), _) => return,
            (Some(_), Ok((from, _))) if from == self.0.node => return,
            (Some(Channel::Nodes), Ok((from, Word::Node(NodeWord::Beat(_))))) => {
                self.note_other(from, false);
                return;
            }
            (Some(Channel::Topic(topic)), Ok((_, Word::Event(event)))) => {
                Some(Heard::Event(topic, event))
            }
            (Some(Channel::Nodes), Ok((from, Word::Node(word)))) => {
                let leaves = matches!(word, NodeWord::Leaving);
                self.note_other(from.clone(), leaves);
                Some(Heard::Node(from, word))
            }
            _ => None,
        };
        self.0.counts.heard.fetch_add(1, Relaxed);
        // Of what cannot be read or taken the database knows.
        if said.is_none_or(|said| heard.try_send(said).is_err()) {
            self.0.counts.dropped.fetch_add(1, Relaxed);
            self.0.hub.note_missed();
        }
    }
}

impl Wanted {
    fn follow(&mut self, touched: &[(Topic, bool)]) {
        for (topic, has_listeners) in touched {
            if *topic == Topic::Lobby {
                continue;
            }
            if *has_listeners {
                if self.all.insert(*topic, None).is_none() {
                    self.untold.insert(Channel::Topic(*topic));
                }
            } else if let Some(until) = self.all.get_mut(topic) {
                *until = Some(Instant::now() + LINGER);
            }
        }
    }

    fn tell_all(&mut self, own: Channel) {
        let topics = self.all.keys().copied().map(Channel::Topic);
        self.untold = topics.chain([own, Channel::Nodes]).collect();
    }

    fn take_gone(&mut self, now: Instant) -> Vec<Channel> {
        let is_gone = |until: &mut Option<Instant>| until.is_some_and(|until| until <= now);
        let gone = self.all.extract_if(|_, until| is_gone(until));
        let gone: Vec<_> = gone.map(|(topic, _)| Channel::Topic(topic)).collect();
        gone.iter().for_each(|it| {
            self.untold.remove(it);
        });
        gone
    }
}
