//! Processes of a replica on one storage, with peers for which the test speaks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::{AuthorId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::document::value::{Op, Value};
use eyot_core::holder::io as holder;
use eyot_core::replica::event::{Event, Made};
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::batch::Last;
use eyot_core::wire::bodies::Hello;
use eyot_core::wire::frame::Frame;

#[derive(Default)]
pub struct World {
    pub processes: Vec<Process>,
    pub store: MemoryStore,
    /// Processes whose writes storage refuses.
    pub refused: BTreeSet<usize>,
    /// Whether storage refuses to read rows.
    pub is_unreadable: bool,
    /// Whether storage tells what it reads later.
    pub is_slow: bool,
    /// Whether processes do not hear of one another for now.
    pub is_deaf: bool,
    pub now: u64,
    /// What was said meanwhile, by which process.
    unheard: VecDeque<(usize, Vec<u8>)>,
    /// What was asked of storage meanwhile, by which process.
    unread: VecDeque<(usize, Effect)>,
}

pub struct Process {
    pub replica: Replica,
    pub events: Vec<Event>,
    /// What was sent on each link.
    pub sent: Vec<(LinkId, Frame)>,
    last: BTreeMap<LinkId, Option<Last>>,
    pub closed: Vec<(LinkId, u16)>,
    /// Links that are dialled.
    pub dialled: Vec<LinkId>,
    timer: Option<u64>,
}

impl World {
    pub fn new(processes: usize) -> Self {
        let mut world = Self { now: 1_000_000, ..Self::default() };
        for _ in 0..processes {
            world.begin();
        }
        world
    }

    /// One more process. It is the last one's number.
    pub fn begin(&mut self) -> usize {
        let number = self.processes.len() as u8;
        let config = ReplicaConfig {
            space: "space".into(),
            author: AuthorId([number + 1; 16]),
            seed: [number + 100; 32],
            relays: vec!["relay".into()],
            token: None,
            descriptor: None,
            limits: Limits::PROTOCOL,
        };
        let replica = Replica::new(config, self.now);
        self.processes.push(Process {
            replica,
            events: Vec::new(),
            sent: Vec::new(),
            last: BTreeMap::new(),
            closed: Vec::new(),
            dialled: Vec::new(),
            timer: None,
        });
        self.run();
        self.processes.len() - 1
    }

    /// A link of a process to another replica, which has greeted.
    pub fn link(&mut self, process: usize, side: Side, hello: Hello) -> LinkId {
        let link = self.processes[process].replica.open_peer(side, Right::Write, self.now);
        self.run();
        self.say(process, link, &Frame::Hello(hello));
        link
    }

    pub fn say(&mut self, process: usize, link: LinkId, frame: &Frame) {
        self.input(process, holder::Input::Received(link, frame.encode()));
    }

    pub fn input(&mut self, process: usize, input: holder::Input) {
        self.processes[process].replica.handle(input, self.now);
        self.run();
    }

    /// Storage tells what it has read.
    pub fn read(&mut self) {
        self.is_slow = false;
        self.run();
    }

    pub fn call<R>(&mut self, process: usize, call: impl FnOnce(&mut Replica, u64) -> R) -> R {
        let result = call(&mut self.processes[process].replica, self.now);
        self.run();
        result
    }

    pub fn write(&mut self, process: usize, n: i64) -> Made {
        let value = Value::Scalar(ScalarValue::Int(n));
        let op = Op::Put { path: vec![Prop::Map("n".into())], value };
        self.call(process, |replica, now| replica.create(&[op], None, now)).expect("it fits")
    }

    /// Lets time pass, with every timer at its time.
    pub fn pass(&mut self, wait: u64) {
        let until = self.now + wait;
        loop {
            let timers =
                self.processes.iter().enumerate().filter_map(|(number, it)| Some((it.timer?, number)));
            let Some((at, number)) = timers.min().filter(|(at, _)| *at <= until) else { break };
            self.now = self.now.max(at);
            self.processes[number].timer = None;
            self.input(number, holder::Input::Timer);
        }
        self.now = until;
    }

    /// The greeting that a process has sent on a link.
    pub fn greeting(&self, process: usize, link: LinkId) -> Hello {
        let sent = self.processes[process].sent.iter().filter(|(of, _)| *of == link);
        let mut greetings = sent.filter_map(|(_, frame)| match frame {
            Frame::Hello(hello) => Some(hello.clone()),
            _ => None,
        });
        greetings.next_back().expect("it has greeted")
    }

    /// The commits that a process has sent on a link.
    pub fn commits(&self, process: usize, link: LinkId) -> Vec<Commit> {
        let sent = self.processes[process].sent.iter().filter(|(of, _)| *of == link);
        let records = sent.filter_map(|(_, frame)| match frame {
            Frame::Commits(commits) => Some(&commits.records),
            _ => None,
        });
        records.flatten().map(|record| record.clone().open(&Limits::PROTOCOL).expect("a commit")).collect()
    }

    /// The commits with which a process has answered on a link.
    pub fn answers(&self, process: usize, link: LinkId) -> Vec<Commit> {
        let sent = self.processes[process].sent.iter().filter(|(of, _)| *of == link);
        let records = sent.filter_map(|(_, frame)| match frame {
            Frame::Answer(answer) => Some(&answer.records),
            _ => None,
        });
        records.flatten().map(|record| record.clone().open(&Limits::PROTOCOL).expect("a commit")).collect()
    }

    pub fn code(&self, process: usize, link: LinkId) -> Option<u16> {
        self.processes[process].closed.iter().find(|(of, _)| *of == link).map(|(_, code)| *code)
    }

    /// How much is known of other holders in storage.
    pub fn peers_stored(&self) -> usize {
        self.store.iter().filter(|(key, _)| key.first() == Some(&b'p')).count()
    }

    fn run(&mut self) {
        loop {
            let mut is_idle = true;
            for number in 0..self.processes.len() {
                while let Some(effect) = self.processes[number].replica.poll_effect() {
                    is_idle = false;
                    self.effect(number, effect);
                }
            }
            if !self.is_deaf
                && let Some((from, said)) = self.unheard.pop_front()
            {
                is_idle = false;
                let others = self.processes.iter_mut().enumerate().filter(|(number, _)| *number != from);
                others.for_each(|(_, it)| it.replica.handle(Input::Broadcast(said.clone()), self.now));
            }
            if !self.is_slow
                && let Some((number, effect)) = self.unread.pop_front()
            {
                is_idle = false;
                self.effect(number, effect);
            }
            if is_idle {
                return;
            }
        }
    }

    fn effect(&mut self, number: usize, effect: Effect) {
        let process = &mut self.processes[number];
        match effect {
            Effect::Holder(holder::Effect::Storage(
                _,
                StorageRequest::Get(_) | StorageRequest::Scan { .. },
            )) if self.is_slow => {
                self.unread.push_back((number, effect));
            }
            Effect::Holder(holder::Effect::Storage(id, request)) => {
                let answer = match &request {
                    StorageRequest::Write(_) if self.refused.contains(&number) => {
                        StorageAnswer::Failed("it is full".into())
                    }
                    StorageRequest::Scan { from, .. }
                        if self.is_unreadable && from.first() == Some(&b'b') =>
                    {
                        StorageAnswer::Failed("it can't be read".into())
                    }
                    request => self.store.answer(request),
                };
                process.replica.handle(holder::Input::Storage(id, answer), self.now);
            }
            Effect::Holder(holder::Effect::Send(link, frame)) => {
                let frame =
                    Frame::decode_next(&frame, &Limits::PROTOCOL, process.last.entry(link).or_default())
                        .expect("replicas send frames");
                process.sent.push((link, frame));
            }
            Effect::Holder(holder::Effect::Close(link, code, _)) => process.closed.push((link, code)),
            Effect::Holder(holder::Effect::SetTimer(at)) => process.timer = at,
            Effect::Holder(holder::Effect::Dial(link, _)) => process.dialled.push(link),
            Effect::Holder(holder::Effect::Authorize(..) | holder::Effect::Sign(..))
            | Effect::Probe(_)
            | Effect::Ping(_) => {}
            Effect::App(event) => process.events.push(event),
            Effect::Broadcast(said) => self.unheard.push_back((number, said)),
        }
    }
}

/// The greeting of another replica.
pub fn hello(log: u8) -> Hello {
    Hello::empty(Descriptor::plain("space"), LogId([log; 16]), Limits::PROTOCOL.credit_bytes)
}
