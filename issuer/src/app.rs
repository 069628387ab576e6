//! All wiring: the parts are made here, every task is started (anchoring's by `Anchoring::start`) and joined here.
//!
//! ```text
//! signals · tls watch · operations door · control · journal check · accept · grpc server · sequencer · tries · erasure · housekeeping
//! and anchoring's own: batcher · submitter · follower · time keeper · guard
//! ```
//! Order of an end: the gate closes, the server takes no more calls, the sequencer empties its queue; batches on their way
//! set out again at the next start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use prometheus_client::registry::Registry as Metrics;
use receipt_core::ids::ReceiptKey;
use receipt_core::merkle::Frontier;
use receipt_core::state::tables::{META_BLINDING, Table};
use receipt_core::state::{ChainParameters, RegisteredEpoch, genesis_effects};
use tallystick_anchoring::desk::Desk;
use tallystick_anchoring::flight::Departures;
use tallystick_anchoring::follow::Followed;
use tallystick_anchoring::guard::{self, Guard};
use tallystick_anchoring::housekeeping::Housekeeping;
use tallystick_anchoring::nodes::Nodes;
use tallystick_anchoring::own_fault::Standing;
use tallystick_anchoring::quorum_time::QuorumTime;
use tallystick_anchoring::tail;
use tallystick_anchoring::tasks::{Anchoring, AnchoringSettings};
use tallystick_service::answers::{AnswersLayer, CallMetrics};
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::config_key::{KeyError, OfKey as _};
use tallystick_service::descriptors::{self, Files};
use tallystick_service::hardening;
use tallystick_service::identity::{ChainName, PeerIdentity, Role};
use tallystick_service::metrics::{Readiness, serve};
use tallystick_service::rng::OsEntropy;
use tallystick_service::shutdown::{CancellationToken, DrainError, TaskError, Tasks, on_signals};
use tallystick_service::tls::{CertificateWatch, Tls, accept};
use tallystick_storage::StoreShare;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use crate::api::{ApiContext, IssuerApi, PortalApi};
use crate::backup::{self, Copied, RestoreTarget};
use crate::body::BodyCipher;
use crate::bundle::Bundler;
use crate::chain::{LoadedChain, load_chain};
use crate::check::Checker;
use crate::config::Settings;
use crate::control::{Control, ControlParts};
use crate::credentials::Credentials;
use crate::documents::Documents;
use crate::erasure::list::ErasedList;
use crate::erasure::task::ErasureTask;
use crate::erasure::{Reapplied, reapply_at_start, reapply_whole, rewrite_list};
use crate::figures::{Figures, FiguresParts, register_memory};
use crate::issue::{self, IssueQueue, Sequencer, SequencerParts, issue_queue};
use crate::journal::{FollowedTip, Journal};
use crate::keys::KeyRing;
use crate::metrics::IssuerMetrics;
use crate::owner::ReceiptOwner;
use crate::registry::{Registry, RegistryView};
use crate::secrets::{self, SecretMarks, SecretsWatch};
use crate::server::{SERVICES, incoming_limits, serve_grpc};
use crate::tries::ticket::Tickets;
use crate::try_desk::{TryDesk, TryQueue, try_queue};

#[cfg(test)]
mod tests;

/// From the signal to the end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);
/// Interval at which the certificate files are looked at.
const TLS_WATCH_INTERVAL: Duration = Duration::from_secs(10);
/// Makes the journal. The keys are opened too, so that a mistake shows before the first receipt.
pub fn init(settings: &Settings) -> Result<()> {
    let chain = load_chain(settings)?;
    let keys = KeyRing::open(settings, chain.genesis.suite).context("open the keys")?;
    let effects = genesis_effects(&chain.genesis).context("apply genesis")?;
    let mut frontier = Frontier::new(chain.genesis.suite);
    for entry in &effects.entries {
        frontier.append(entry, |_, _| ()).context("append genesis to the log")?;
    }
    let followed = FollowedTip {
        height: effects.tip.height,
        time: effects.tip.time,
        seal_hash: effects.tip.seal_hash,
        event: 0,
        frontier,
    };
    let secrets = SecretMarks::of(&keys, chain.genesis.suite);
    let registered = match effects.writes.get(&(Table::Meta, META_BLINDING.to_vec())) {
        Some(Some(bytes)) => RegisteredEpoch::decode_all(bytes).context("read genesis")?,
        _ => Vec::new(),
    };
    secrets::check_blinding(&secrets.blinding, &registered)?;
    Journal::init(&settings.journal_dir, chain.identity, &effects.writes, &followed, &secrets.rows())?;
    Guard::create(&settings.guard_file, chain.identity)?;
    // A list that is there is kept: if this journal replaces a lost one, what was erased must not come back.
    ErasedList::new(&settings.erased_file, chain.identity).create(SystemClock.now())?;
    Ok(())
}

/// What an operator permits a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreWish {
    /// Also a backup of a damaged journal.
    pub despite_damage: bool,
    /// The list of erased bodies is lost; it is made anew from the backup.
    pub without_erased_list: bool,
}

/// Puts a backup back where the config's journal was. The keys are opened too: they must be those of the backup's journal. Returns what was
/// found.
pub fn restore(settings: &Settings, backup: &std::path::Path, wish: RestoreWish) -> Result<Copied> {
    let RestoreWish { despite_damage, without_erased_list } = wish;
    let chain = load_chain(settings)?;
    let list = ErasedList::new(&settings.erased_file, chain.identity);
    match without_erased_list {
        false if !list.exists() => bail!(
            "there is no list of erased bodies at {}: whatever was erased since the backup would come back. Put its newest copy there; if \
             it is lost, say `--without-erased-list`, and erase again what was erased since (docs/ops/erasing.md)",
            settings.erased_file.display()
        ),
        true if list.exists() => bail!("{} is there: restore with it", settings.erased_file.display()),
        _ => {}
    }
    secrets::require_files(settings)?;
    let keys = KeyRing::open(settings, chain.genesis.suite).context("open the keys")?;
    let cipher = Arc::new(BodyCipher::new(&keys.master));
    let journal_dir = &settings.journal_dir;
    let secrets = SecretMarks::of(&keys, chain.genesis.suite);
    let target = RestoreTarget { identity: chain.identity, journal_dir, cipher, secrets, despite_damage };
    let copied = backup::restore(backup, &target)?;
    let journal = Journal::open(&settings.journal_dir, chain.identity)?;
    if without_erased_list {
        rewrite_list(&journal, &list, SystemClock.now())?;
    }
    let again = reapply_whole(&journal, &list, SystemClock.now(), chain.genesis.utc_offset_minutes)
        .context("the journal is back in its place; erase again what was erased since the backup")?;
    tell_again(again);
    Ok(copied)
}

/// What was erased since this copy of the journal was made goes again.
fn tell_again(again: Reapplied) {
    if again.named > 0 || again.by_age > 0 {
        let bodies = again.named as u64 + again.by_age;
        tracing::info!(bodies, "bodies that an older copy of the journal had brought back were erased again");
    }
}

/// Checks what the settings name, builds the issuer, and runs it until SIGTERM, SIGINT or a fatal error; then answers the calls under
/// way, for 20 s at most.
pub async fn run(settings: Settings) -> Result<()> {
    let chain = load_chain(&settings)?;
    let files = Files::raised();
    let share = StoreShare {
        bytes: settings.memory.store_bytes(),
        files: files.tables(),
        table_bytes_per_second: settings.table_bytes_per_second_max,
    };
    let (journal, _) = tail::open(&settings.journal_dir, chain.identity, &settings.guard_file, share)?;
    let journal = Arc::new(journal);
    // Check the secrets before anything is written: a config with other secrets belongs to another issuer, or is a mistake.
    let keys = Arc::new(secrets::open_keys(&settings, &journal)?);
    let guard = guard::stand_before(&journal, &settings.guard_file)?.map(Arc::new);
    let list = ErasedList::new(&settings.erased_file, chain.identity);
    let (again, unwritten) = reapply_at_start(&journal, &list, chain.genesis.utc_offset_minutes)?;
    tell_again(again);
    let directories =
        [("journal_dir", settings.journal_dir.as_path()), ("keys.unit_keys_dir", settings.unit_keys_dir.as_path())];
    hardening::warn_of_open_directories(&directories);
    let documents =
        settings.documents.as_ref().map(|documents| Documents::open(documents, &chain.genesis)).transpose()?;
    let documents = documents.map(Arc::new);
    let registry = Arc::new(Registry::open(&journal)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chain_name = ChainName::parse(&chain.genesis.chain_name).context("the chain's name")?;
    let tls = Tls::load(settings.tls.clone(), chain_name, Arc::clone(&clock)).context("load TLS files")?;
    check_identity(&settings, &tls.identity())?;
    check_keys(&settings, &keys, &registry.view())?;
    let grpc = TcpListener::bind(settings.listen.grpc).await.of_key("listen.grpc")?;
    let metrics = TcpListener::bind(settings.listen.metrics).await.of_key("listen.metrics")?;
    let last = guard.clone().map(|guard| (guard, Arc::clone(&journal)));
    let wiring = Wiring { settings, files, chain, journal, guard, keys, registry, clock, tls, documents, unwritten };
    let ran = wiring.start(grpc, metrics)?.run(DRAIN_DEADLINE).await;
    end(ran, last)
}

/// The last step, however the tasks ended: what was acknowledged before one of them failed, or was aborted, is in the journal, and an
/// older copy of it must not pass for it at the next start.
fn end(ran: Result<(), DrainError>, last: Option<(Arc<Guard>, Arc<Journal>)>) -> Result<()> {
    let followed = last.map_or(Ok(()), |(guard, journal)| guard.follow(&journal));
    if let (Err(_), Err(error)) = (&ran, &followed) {
        tracing::error!(%error, "the guard file was not brought up to the journal");
    }
    ran.context("run")?;
    followed.context("write the guard file")
}

fn check_identity(settings: &Settings, own: &PeerIdentity) -> Result<()> {
    if own.role != Role::Issuer || own.id != settings.issuer.get() {
        let problem = format!("the certificate is of {own}, the config of issuer {}", settings.issuer);
        return Err(KeyError::config("tls.certificate_chain", problem).into());
    }
    Ok(())
}

/// A key that is not the registered one signs what nobody takes: better found before the first receipt.
fn check_keys(settings: &Settings, keys: &KeyRing, view: &RegistryView) -> Result<()> {
    let id = settings.issuer_key;
    match view.own.public(id) {
        Some(registered) => {
            if registered != keys.issuer.public_key() {
                return Err(
                    KeyError::config("keys.issuer_key_file", format!("it is not the registered key {id}")).into()
                );
            }
        }
        // Not an error: the block in which governance registers the key may still have to be followed.
        None => tracing::warn!(key = %id, "keys.issuer_key_id is not registered for this issuer yet"),
    }
    for (id, signer) in keys.units() {
        match view.unit_key(id) {
            Some(registered) if registered != signer.public_key() => {
                let problem = format!("{id}.key is not the registered key {id}");
                return Err(KeyError::config("keys.unit_keys_dir", problem).into());
            }
            Some(_) => {}
            None => tracing::warn!(key = %id, "a unit key in custody is not registered yet"),
        }
    }
    Ok(())
}

struct Wiring {
    settings: Settings,
    files: Files,
    chain: LoadedChain,
    journal: Arc<Journal>,
    guard: Option<Arc<Guard>>,
    keys: Arc<KeyRing>,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    tls: Arc<Tls>,
    documents: Option<Arc<Documents>>,
    /// Bodies erased again whose tables are still to be written anew.
    unwritten: Vec<ReceiptKey>,
}

/// Parts that several tasks share.
struct Shared {
    desk: Desk,
    metrics: Arc<IssuerMetrics>,
    cipher: Arc<BodyCipher>,
    nodes: Arc<Nodes>,
    quorum_time: Arc<QuorumTime>,
}

impl Wiring {
    fn start(self, grpc: TcpListener, door: TcpListener) -> Result<Tasks> {
        let token = CancellationToken::new();
        let mut tasks = Tasks::new(token.clone());
        let mut registry = Metrics::default();
        let metrics = Arc::new(IssuerMetrics::register(&mut registry));
        tallystick_service::process::register(&mut registry, "tallystick-issuer", env!("CARGO_PKG_VERSION"));
        let answers = AnswersLayer::new(CallMetrics::register(&mut registry, SERVICES));
        let owner = ReceiptOwner {
            journal: Arc::clone(&self.journal),
            registry: Arc::clone(&self.registry),
            metrics: Arc::clone(&metrics),
            utc_offset_minutes: self.chain.genesis.utc_offset_minutes,
        };
        let trust = self.chain.followed_trust(&self.journal)?;
        let anchoring_metrics = Arc::clone(&metrics.anchoring);
        let (desk, departures) = Desk::open(Arc::clone(&self.journal), Arc::new(owner), anchoring_metrics, trust)?;
        let shared = Shared {
            desk,
            metrics,
            cipher: Arc::new(BodyCipher::new(&self.keys.master)),
            nodes: Arc::new(Nodes::new(&self.tls, &self.settings.nodes, self.settings.call_timeout())?),
            quorum_time: Arc::new(QuorumTime::new(Arc::new(Instant::now()), self.settings.issue.clock_distance_max_ms)),
        };
        let tip = self.journal.followed_tip()?;
        let (followed, following) = watch::channel(Followed { height: tip.height.get(), event: tip.event });
        let (queue, jobs) = issue_queue(self.settings.issue.queue_drafts_max);
        register_memory(&mut registry, &self.settings.memory, &self.journal, queue.clone(), self.documents.clone());
        let (tries, try_jobs) = try_queue(Arc::clone(&shared.desk.gate));
        let try_desk = TryDesk::open(Arc::clone(&self.journal), Arc::clone(&self.clock), Arc::clone(&shared.metrics))?;
        let sequencer = Sequencer::open(self.sequencer_parts(&shared))?;
        let readiness = Readiness::new();
        let housekeeping = self.housekeeping(&shared, &readiness);
        let standing = Standing::new(&readiness);

        tasks.spawn("signals", on_signals(token.clone())?);
        let days_left = shared.metrics.tls_certificate_days_left.clone();
        let watch = CertificateWatch { interval: TLS_WATCH_INTERVAL, ready: readiness.part("tls"), days_left };
        tasks.spawn("files", descriptors::watch(readiness.part("files"), token.clone()));
        tasks.spawn("tls-watch", Arc::clone(&self.tls).watch(watch, token.clone()));
        let erasure_begun = Arc::new(Notify::new());
        let checker = Arc::new(Checker {
            journal: Arc::clone(&self.journal),
            cipher: Arc::clone(&shared.cipher),
            metrics: Arc::clone(&shared.metrics),
            clock: Arc::clone(&self.clock),
        });
        tasks.spawn("journal-check", Arc::clone(&checker).run(token.clone()));
        let control = Control::bind(self.control_parts(&shared, &queue, (&erasure_begun, checker)))?;
        tasks.spawn("control", control.serve(token.clone()));
        let erasure = self.erasure(&shared, erasure_begun);
        tasks.spawn("erasure", erasure.run(token.clone()));
        tasks.spawn("operations-door", serve(door, registry, readiness, token.clone()));
        let group = self.settings.issue.group_drafts_max;
        tasks.spawn("sequencer", issue::run(sequencer, jobs, group, token.clone()));
        tasks.spawn("tries", try_desk.run(try_jobs, token.clone()));
        self.anchoring(&shared, departures, followed, standing).start(&mut tasks)?;
        tasks.spawn("housekeeping", housekeeping.run(token.clone()));
        let streams = TaskTracker::new();
        let api = self.api(&shared, (queue, tries), following, &token, &streams);
        let (incoming, accepting) = accept(grpc, Arc::clone(&self.tls), incoming_limits(self.files), token.clone());
        tasks.spawn("accept", accepting);
        tasks.spawn("grpc", serve_grpc(api, incoming, Arc::clone(&self.clock), answers, token.clone()));
        tasks.spawn("watch-streams", async move {
            token.cancelled_owned().await;
            streams.close();
            streams.wait().await;
            Ok::<(), TaskError>(())
        });
        Ok(tasks)
    }

    fn sequencer_parts(&self, shared: &Shared) -> SequencerParts {
        SequencerParts {
            journal: Arc::clone(&self.journal),
            registry: Arc::clone(&self.registry),
            keys: Arc::clone(&self.keys),
            issuer_key: self.settings.issuer_key,
            cipher: Arc::clone(&shared.cipher),
            gate: Arc::clone(&shared.desk.gate),
            backlog: Arc::clone(&shared.desk.backlog),
            clock: Arc::clone(&self.clock),
            quorum_time: Arc::clone(&shared.quorum_time),
            entropy: Arc::new(OsEntropy),
            metrics: Arc::clone(&shared.metrics),
            suite: self.chain.genesis.suite,
            utc_offset_minutes: self.chain.genesis.utc_offset_minutes,
            seal_promise_ms: self.settings.issue.seal_promise_ms,
            outbox_records_max: self.settings.issue.outbox_records_max,
        }
    }

    fn erasure(&self, shared: &Shared, begun: Arc<Notify>) -> ErasureTask {
        ErasureTask {
            journal: Arc::clone(&self.journal),
            metrics: Arc::clone(&shared.metrics),
            clock: Arc::clone(&self.clock),
            utc_offset_minutes: self.chain.genesis.utc_offset_minutes,
            begun,
            unwritten: self.unwritten.clone(),
        }
    }

    fn control_parts(
        &self,
        shared: &Shared,
        queue: &IssueQueue,
        (erasure_begun, checker): (&Arc<Notify>, Arc<Checker>),
    ) -> ControlParts {
        ControlParts {
            settings: Arc::new(self.settings.clone()),
            journal: Arc::clone(&self.journal),
            guard: self.guard.clone(),
            keys: Arc::clone(&self.keys),
            clock: Arc::clone(&self.clock),
            gate: Arc::clone(&shared.desk.gate),
            queue: queue.clone(),
            metrics: Arc::clone(&shared.metrics),
            utc_offset_minutes: self.chain.genesis.utc_offset_minutes,
            erasure_begun: Arc::clone(erasure_begun),
            checker,
        }
    }

    fn anchoring(
        &self,
        shared: &Shared,
        departures: Departures,
        followed: watch::Sender<Followed>,
        standing: Standing,
    ) -> Anchoring {
        Anchoring {
            desk: shared.desk.clone(),
            departures,
            nodes: Arc::clone(&shared.nodes),
            chain: ChainParameters::of(&self.chain.genesis),
            suite: self.chain.genesis.suite,
            signer: Arc::clone(&self.keys.issuer),
            signing_key: self.settings.issuer_key,
            guard: self.guard.clone(),
            clock: Arc::clone(&self.clock),
            quorum_time: Arc::clone(&shared.quorum_time),
            settings: AnchoringSettings {
                records_max: self.settings.batch.records_max,
                bytes_max: self.settings.batch.bytes_max,
                age: self.settings.batch_age(),
                in_flight_max: self.settings.batch.in_flight_max,
                resubmit: self.settings.resubmit(),
                fresh_seconds: self.settings.ledger.fresh_ms / 1000,
            },
            followed,
            standing,
        }
    }

    fn housekeeping(&self, shared: &Shared, readiness: &Readiness) -> Housekeeping {
        let mut figures = Figures::new(FiguresParts {
            journal: Arc::clone(&self.journal),
            registry: Arc::clone(&self.registry),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&shared.metrics),
            utc_offset_minutes: self.chain.genesis.utc_offset_minutes,
        });
        let issuer_key = self.settings.issuer_key;
        let (keys, registry) = (Arc::clone(&self.keys), Arc::clone(&self.registry));
        let mut secrets = SecretsWatch::new(keys, registry, Arc::clone(&shared.desk.gate));
        Housekeeping {
            desk: shared.desk.clone(),
            own_key: (self.settings.issuer_key, self.keys.issuer.public_key()),
            figures: tallystick_anchoring::figures::Figures {
                desk: shared.desk.clone(),
                nodes: Arc::clone(&shared.nodes),
                quorum_time: Arc::clone(&shared.quorum_time),
                clock: Arc::clone(&self.clock),
            },
            owner_figures: Box::new(move |pending| {
                figures.measure(pending)?;
                figures.measure_keys(issuer_key);
                Ok(secrets.look())
            }),
            quorum_time: Arc::clone(&shared.quorum_time),
            clock: Arc::clone(&self.clock),
            ready: readiness.part("issuing"),
            journal_dir: self.settings.journal_dir.clone(),
            disk_free_bytes_min: self.settings.issue.disk_free_bytes_min,
        }
    }

    fn api(
        &self,
        shared: &Shared,
        (queue, tries): (IssueQueue, TryQueue),
        followed: watch::Receiver<Followed>,
        stop: &CancellationToken,
        streams: &TaskTracker,
    ) -> (IssuerApi, PortalApi) {
        let bundler = Bundler::new(
            Arc::clone(&self.journal),
            Arc::clone(&shared.cipher),
            Arc::clone(&shared.nodes),
            Arc::clone(&shared.desk.trust),
            Arc::clone(&self.clock),
            Credentials::new(self.settings.credentials_dir.clone(), Arc::clone(&shared.desk.trust)),
        );
        let context = Arc::new(ApiContext {
            journal: Arc::clone(&self.journal),
            registry: Arc::clone(&self.registry),
            keys: Arc::clone(&self.keys),
            queue,
            waiters: Arc::clone(&shared.desk.waiters),
            bundler: Arc::new(bundler),
            documents: self.documents.clone(),
            followed,
            clock: Arc::clone(&self.clock),
            quorum_time: Arc::clone(&shared.quorum_time),
            tries,
            tickets: Tickets::new(&self.keys.master),
            metrics: Arc::clone(&shared.metrics),
            utc_offset_minutes: self.chain.genesis.utc_offset_minutes,
            stop: stop.clone(),
            streams: streams.clone(),
        });
        (IssuerApi::new(Arc::clone(&context)), PortalApi::new(context))
    }
}
