//! The threads that run the models, and who watches over them.
//!
//! They run under SCHED_IDLE: whatever else the box has to do, an alarm above all, comes first (docs/decisions/0010-cameras-beside-alarms.md). They
//! hold no lock that another part waits for: a job comes by a channel of the thread's own, its answer goes by a channel.
//!
//! What must hold: a look that panics costs that look, and the models are loaded anew; one that hangs is given up after [`STUCK_MS`] and another
//! thread takes its place; when none is left that works, that is said, and the cameras count as not seeing.
use super::attention::Task;
use crate::clock::Stopwatch;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    thread_schedule_policy,
};
use tuoan_vision::picture::Picture;
use tuoan_vision::sight::Sight;

/// No look takes so long, even on a busy box.
pub const STUCK_MS: i64 = 60_000;
/// A worker whose models do not load tries again after so long: their files may be mended.
const RETRY_MS: i64 = 60_000;
/// Threads that were given up and have not ended, at most: each holds its models.
const MAX_STUCK: usize = 4;

/// The models as a worker uses them.
pub trait Look {
    /// What the picture shows of all that the task asks for.
    ///
    /// # Errors
    /// A model fails to run.
    fn look(&mut self, picture: &Picture, task: Task) -> Result<Sight, String>;
}

/// Loads the models; each worker has its own.
pub type Open = Arc<dyn Fn() -> Result<Box<dyn Look>, String> + Send + Sync>;

/// One look to be made.
#[derive(Debug, Clone)]
pub struct Job {
    pub ticket: u64,
    pub picture: Arc<Picture>,
    pub task: Task,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    pub ticket: u64,
    pub sight: Result<Sight, String>,
    pub took: Duration,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// The models are loaded.
    Ready,
    /// They do not load; the thread has ended.
    Failed(String),
    Done(Done),
    /// The thread has ended because nobody has jobs for it any more.
    Ended,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub seat: usize,
    /// Which of the threads that have had the seat.
    pub thread: u64,
    pub word: Word,
}

/// Starts a thread for a seat; the other end of its jobs. The crew's tests have a double of their own.
pub type Start = Box<dyn FnMut(usize, u64) -> Option<mpsc::Sender<Job>> + Send>;

/// The workers' seats.
pub struct Crew {
    seats: Vec<Seat>,
    start: Start,
    threads: u64,
    tickets: u64,
    /// Threads that were given up and may still run.
    stuck: Vec<u64>,
    /// Threads that were started in another's place since the beginning.
    pub replaced: u64,
}

struct Seat {
    thread: u64,
    jobs: Option<mpsc::Sender<Job>>,
    state: State,
}

enum State {
    Loading,
    Idle,
    Busy {
        since_ms: i64,
        ticket: u64,
        camera: usize,
    },
    /// Nobody sits there until then.
    Empty {
        until_ms: i64,
    },
}

/// A look that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    pub camera: usize,
    pub sight: Result<Sight, String>,
    pub took: Duration,
}

impl Crew {
    /// `seats` workers, started at once.
    pub fn new(seats: usize, start: Start) -> Crew {
        let seats = (0..seats).map(|_| Seat { thread: 0, jobs: None, state: State::Empty { until_ms: i64::MIN } }).collect();
        let mut crew = Crew { seats, start, threads: 0, tickets: 0, stuck: Vec::new(), replaced: 0 };
        crew.fill(i64::MIN);
        crew
    }

    fn fill(&mut self, now_ms: i64) {
        for (number, seat) in self.seats.iter_mut().enumerate() {
            let State::Empty { until_ms } = seat.state else { continue };
            if until_ms > now_ms || self.stuck.len() >= MAX_STUCK {
                continue;
            }
            self.threads += 1;
            seat.thread = self.threads;
            seat.jobs = (self.start)(number, self.threads);
            seat.state = match seat.jobs {
                Some(_) => State::Loading,
                None => State::Empty { until_ms: now_ms.saturating_add(RETRY_MS) },
            };
        }
    }

    /// Whether somebody is free.
    pub fn has_idle(&self) -> bool {
        self.seats.iter().any(|s| matches!(s.state, State::Idle))
    }

    /// Workers whose models are loaded.
    pub fn able(&self) -> usize {
        self.seats.iter().filter(|s| matches!(s.state, State::Idle | State::Busy { .. })).count()
    }

    /// Hands a look to somebody who is free. `Err` gives it back: nobody is.
    pub fn hand(&mut self, now_ms: i64, camera: usize, picture: Arc<Picture>, task: Task) -> Result<(), Arc<Picture>> {
        self.tickets += 1;
        let mut job = Job { ticket: self.tickets, picture, task };
        for seat in self.seats.iter_mut().filter(|s| matches!(s.state, State::Idle)) {
            let ticket = job.ticket;
            match seat.jobs.as_ref().map(|jobs| jobs.send(job.clone())) {
                Some(Ok(())) => {
                    seat.state = State::Busy { since_ms: now_ms, ticket, camera };
                    return Ok(());
                }
                // The thread is gone without a word.
                Some(Err(mpsc::SendError(back))) => {
                    job = back;
                    seat.jobs = None;
                    seat.state = State::Empty { until_ms: now_ms };
                }
                None => seat.state = State::Empty { until_ms: now_ms },
            }
        }
        Err(job.picture)
    }

    /// A worker has spoken; the look that is over by it.
    pub fn heard(&mut self, now_ms: i64, message: Message) -> Option<Over> {
        let Message { seat, thread, word } = message;
        if matches!(word, Word::Ended | Word::Failed(_)) {
            self.stuck.retain(|t| *t != thread);
        }
        // One that was given up has found its way back: its answer is too old, and its seat is taken.
        let seat = self.seats.get_mut(seat).filter(|s| s.thread == thread)?;
        match word {
            Word::Ready => {
                if matches!(seat.state, State::Loading) {
                    seat.state = State::Idle;
                }
                None
            }
            Word::Failed(why) => {
                tracing::error!("the models that look at pictures do not load: {why}; tried again in {} s", RETRY_MS / 1000);
                let over = seat.over(Err(why), Duration::ZERO);
                seat.jobs = None;
                seat.state = State::Empty { until_ms: now_ms.saturating_add(RETRY_MS) };
                over
            }
            Word::Ended => {
                let over = seat.over(Err("the thread has ended".to_owned()), Duration::ZERO);
                seat.jobs = None;
                seat.state = State::Empty { until_ms: now_ms };
                over
            }
            Word::Done(done) => {
                let State::Busy { ticket, .. } = seat.state else { return None };
                if ticket != done.ticket {
                    return None;
                }
                let over = seat.over(done.sight, done.took);
                seat.state = State::Idle;
                over
            }
        }
    }

    /// Gives up looks that hang, and fills empty seats; the looks that were given up.
    pub fn tick(&mut self, now_ms: i64) -> Vec<Over> {
        let mut given_up = Vec::new();
        for seat in &mut self.seats {
            let State::Busy { since_ms, .. } = seat.state else { continue };
            if now_ms.saturating_sub(since_ms) < STUCK_MS {
                continue;
            }
            let why = format!("the look has not ended within {} s", STUCK_MS / 1000);
            tracing::error!("{why}: another thread takes over");
            given_up.extend(seat.over(Err(why), Duration::ZERO));
            self.stuck.push(seat.thread);
            self.replaced += 1;
            // Without its jobs the thread ends when it comes back.
            seat.jobs = None;
            seat.state = State::Empty { until_ms: now_ms };
        }
        self.fill(now_ms);
        given_up
    }
}

impl Seat {
    fn over(&self, sight: Result<Sight, String>, took: Duration) -> Option<Over> {
        match self.state {
            State::Busy { camera, .. } => Some(Over { camera, sight, took }),
            _ => None,
        }
    }
}

/// Starts real threads, which load the models by `open`, run under SCHED_IDLE if `idle`, speak by `words` and wake `listener` then.
pub fn threads(open: Open, idle: bool, words: mpsc::Sender<Message>, listener: std::thread::Thread) -> Start {
    Box::new(move |seat, thread| {
        let (jobs, taken) = mpsc::channel();
        let (open, words, listener) = (Arc::clone(&open), words.clone(), listener.clone());
        let say = move |word| {
            // Nobody listens any more: the gateway is stopping.
            let _ = words.send(Message { seat, thread, word });
            listener.unpark();
        };
        let started = std::thread::Builder::new().name(format!("eye-{seat}")).spawn(move || {
            if idle {
                yield_to_all();
            }
            work(&open, &taken, &say);
        });
        match started {
            Ok(_) => Some(jobs),
            Err(e) => {
                tracing::error!("a thread that looks at pictures cannot be started: {e}");
                None
            }
        }
    })
}

fn work(open: &Open, jobs: &mpsc::Receiver<Job>, say: &dyn Fn(Word)) {
    let Some(mut eye) = load(open, say) else { return };
    say(Word::Ready);
    while let Ok(job) = jobs.recv() {
        let watch = Stopwatch::start();
        let sight = match catch_unwind(AssertUnwindSafe(|| eye.look(&job.picture, job.task))) {
            Ok(sight) => sight,
            Err(_) => {
                // Nobody knows what state it left the models in. The answer follows when there are others.
                match load(open, say) {
                    Some(other) => eye = other,
                    None => return,
                }
                Err("a model panicked".to_owned())
            }
        };
        say(Word::Done(Done { ticket: job.ticket, sight, took: watch.elapsed() }));
    }
    say(Word::Ended);
}

/// The models; `None` when they do not load, which is said.
fn load(open: &Open, say: &dyn Fn(Word)) -> Option<Box<dyn Look>> {
    let loaded = catch_unwind(AssertUnwindSafe(|| open())).unwrap_or_else(|_| Err("loading them panicked".to_owned()));
    loaded.map_err(|why| say(Word::Failed(why))).ok()
}

/// SCHED_IDLE for the calling thread; no privilege is needed for that.
fn yield_to_all() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    // Setting the niceness that this policy ignores may be refused when the whole process was started with `nice`.
    if thread_schedule_policy().ok() != Some(idle) {
        tracing::warn!("the threads that look at pictures compete with everything else: SCHED_IDLE was refused ({set:?})");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use tuoan_vision::eye::Effort;
    use tuoan_vision::sight::Face;

    type Jobs = Arc<Mutex<BTreeMap<u64, mpsc::Receiver<Job>>>>;

    /// A crew without threads: the receivers of each thread's jobs, by thread.
    fn crew(seats: usize) -> (Crew, Jobs) {
        let jobs = Jobs::default();
        let theirs = Arc::clone(&jobs);
        let start: Start = Box::new(move |_, thread| {
            let (tx, rx) = mpsc::channel();
            theirs.lock().unwrap().insert(thread, rx);
            Some(tx)
        });
        (Crew::new(seats, start), jobs)
    }

    const TASK: Task = Task { effort: Effort::Live, things: false, faces: false };

    fn picture() -> Arc<Picture> {
        Arc::new(Picture::plain(32, 32, [9; 3]))
    }

    fn says(seat: usize, thread: u64, word: Word) -> Message {
        Message { seat, thread, word }
    }

    fn done(ticket: u64) -> Word {
        Word::Done(Done { ticket, sight: Ok(Sight::default()), took: Duration::from_millis(70) })
    }

    #[test]
    fn a_look_goes_to_who_is_free_and_its_answer_to_its_camera() {
        let (mut crew, jobs) = crew(2);
        assert!(crew.hand(0, 7, picture(), TASK).is_err(), "the models are still loading");
        assert_eq!(crew.heard(0, says(1, 2, Word::Ready)), None);
        assert!(crew.has_idle() && crew.able() == 1);
        crew.hand(0, 7, picture(), Task { faces: true, ..TASK }).unwrap();
        assert!(!crew.has_idle() && crew.hand(0, 8, picture(), TASK).is_err());
        let job = jobs.lock().unwrap()[&2].try_recv().unwrap();
        assert!(job.task.faces);
        assert_eq!(crew.heard(5, says(1, 2, done(job.ticket + 1))), None, "no such look");
        let over = crew.heard(5, says(1, 2, done(job.ticket))).unwrap();
        assert!(over.camera == 7 && over.sight.is_ok() && crew.has_idle());
        assert_eq!(crew.heard(6, says(1, 2, done(job.ticket))), None, "once");
    }

    #[test]
    fn a_look_that_hangs_is_given_up_and_its_late_answer_is_not_heard() {
        let (mut crew, jobs) = crew(1);
        crew.heard(0, says(0, 1, Word::Ready));
        crew.hand(1000, 3, picture(), TASK).unwrap();
        let job = jobs.lock().unwrap()[&1].try_recv().unwrap();
        assert!(crew.tick(1000 + STUCK_MS - 1).is_empty());
        let [over] = crew.tick(1000 + STUCK_MS).try_into().unwrap();
        assert!(over.camera == 3 && over.sight.is_err() && crew.replaced == 1);
        assert!(jobs.lock().unwrap()[&1].try_recv().is_err(), "it has no more jobs, so it ends when it comes back");
        crew.heard(0, says(0, 2, Word::Ready));
        crew.hand(99_000, 4, picture(), TASK).unwrap();
        assert_eq!(crew.heard(99_001, says(0, 1, done(job.ticket))), None, "another thread has the seat now");
        assert!(!crew.has_idle());
    }

    #[test]
    fn threads_that_hang_for_ever_are_bounded() {
        let (mut crew, jobs) = crew(1);
        let mut now = 0;
        for thread in 1..20 {
            now += STUCK_MS;
            crew.heard(now, says(0, thread, Word::Ready));
            let _ = crew.hand(now, 0, picture(), TASK);
            crew.tick(now + STUCK_MS);
        }
        assert_eq!((jobs.lock().unwrap().len(), crew.able()), (MAX_STUCK, 0));
        crew.heard(now, says(0, 1, Word::Ended));
        crew.tick(now + STUCK_MS);
        assert_eq!(jobs.lock().unwrap().len(), MAX_STUCK + 1, "one has come back, so another may start");
    }

    #[test]
    fn models_that_do_not_load_are_tried_again() {
        let (mut crew, jobs) = crew(1);
        assert_eq!(crew.heard(0, says(0, 1, Word::Failed("no file".into()))), None);
        crew.tick(RETRY_MS - 1);
        assert_eq!((jobs.lock().unwrap().len(), crew.able()), (1, 0));
        crew.tick(RETRY_MS);
        assert_eq!(jobs.lock().unwrap().len(), 2);
    }

    /// Panics on black pictures, as a double of models that are not all well.
    struct Touchy;
    impl Look for Touchy {
        fn look(&mut self, picture: &Picture, task: Task) -> Result<Sight, String> {
            match picture.pixel(0, 0) {
                Some([0, ..]) => panic!("black"),
                Some([1, ..]) => Err("dark".to_owned()),
                _ => {
                    let faces = if task.faces { vec![Face { bbox: Default::default(), score: 1.0 }] } else { vec![] };
                    Ok(Sight { width: picture.width(), faces, ..Sight::default() })
                }
            }
        }
    }

    #[test]
    fn real_threads_survive_a_panic_and_run_when_nobody_else_wants_to() {
        let (words, heard) = mpsc::channel();
        let policies = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&policies);
        let open: Open = Arc::new(move || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // Field 41 (proc(5)); the name before it is in brackets.
            let policy = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap().to_owned();
            seen.lock().unwrap().push(policy);
            Ok(Box::new(Touchy))
        });
        let mut crew = Crew::new(1, threads(open, true, words, std::thread::current()));
        let next = || heard.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(crew.heard(0, next()), None);
        let mut look = |colour: u8, faces: bool| {
            crew.hand(0, 0, Arc::new(Picture::plain(64, 32, [colour; 3])), Task { faces, ..TASK }).unwrap();
            crew.heard(0, next()).unwrap().sight
        };
        assert_eq!(look(9, false).unwrap().faces.len(), 0);
        assert!(look(0, false).unwrap_err().contains("panicked"));
        assert_eq!(look(1, false).unwrap_err(), "dark");
        assert_eq!(look(9, true).unwrap().faces.len(), 1);
        assert_eq!(*policies.lock().unwrap(), ["5", "5"], "SCHED_IDLE is 5; the models were loaded anew once");
        drop(crew);
        assert_eq!(next().word, Word::Ended);
    }
}
