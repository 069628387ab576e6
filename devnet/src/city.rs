//! `tallystick-devnet city`: what people hold. A network of real processes with a portal issues receipts of every category; what each payer
//! gets, and the page that judges it, is left in a folder.
//!
//! ```text
//! OUT/index.html                         what is there, in Chinese and English; a file that needs no network
//! OUT/page/tallystick-verify.html        the page, pinned to this chain's trust file; page/hosted/ is for a server
//! OUT/trust.txt  OUT/directory.bin       for `tallystick-verifier`
//! OUT/S01/ …     receipt.tally .pdf .ofd .xml .slip, page-1.png …, code.png: the code as it is printed
//! OUT/S01/before-reversal.tally          what its holder had kept; OUT/S04/altered.tally: what a forger would make
//! ```
//! Every file is judged before it is listed. The names are the same in each run, so that a later one replaces them. Not here: figures, faults,
//! the audit (`demo`), and networks that are kept (`up`).

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use receipt_core::limits::{DIRECTORY_BYTES_MAX, TRUST_BYTES_MAX};
use tallystick_devnet::midnight::clear_of_midnight;
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::outpage;

use crate::demo::{DEMO_LASTS_MAX, Demo, Screen};
use crate::up;

mod code;
mod folder;
mod index;
mod receipts;

use index::Index;

/// Two issuers, so that one transaction can be handed in twice.
const ISSUERS: u32 = 2;

/// What is built, and how.
#[derive(Debug, Clone)]
pub(crate) struct CityOptions {
    /// The folder that is filled.
    pub(crate) out: PathBuf,
    /// Generated receipts beside the samples.
    pub(crate) receipts: usize,
    /// Whether the network goes on afterwards.
    pub(crate) stays: bool,
    /// Whether progress is drawn.
    pub(crate) terminal: bool,
}

/// A network that has issued, and whose folder is full.
pub(crate) struct City {
    demo: Demo,
    out: PathBuf,
}

/// Makes a network in `directory`, issues, and fills the folder.
pub(crate) async fn build(directory: &Path, options: &CityOptions) -> Result<City> {
    let network = NetworkOptions { issuers: ISSUERS, documents: true, ..NetworkOptions::default() };
    let mut network = Network::generate(directory, &network)?;
    let screen = Screen::new(options.terminal);
    let offset = network.description().utc_offset_minutes;
    clear_of_midnight(SystemClock.now(), offset, DEMO_LASTS_MAX, |message| screen.print(message)).await;
    let step = screen.step("start four validators, two issuers and the portal, each a process of its own", None);
    network.start().await?;
    network.start_portal().await.context("start the portal")?;
    step.done(&format!("chain {}", network.description().chain_name));
    let demo = Demo::connect(network, screen).await?;
    let issued = receipts::issue(&demo, options.receipts).await?;

    let out = std::path::absolute(&options.out).context("resolve the folder")?;
    fs::create_dir_all(&out).with_context(|| format!("make {}", out.display()))?;
    let step = demo.screen.step("fetch every document of each, and judge it", Some(issued.kept.len()));
    let mut entries = Vec::new();
    for kept in &issued.kept {
        entries.push(folder::fill(&demo, &out, kept).await.with_context(|| kept.folder.clone())?);
        step.progress().fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    step.done(&format!("{} receipts as bundle, PDF, OFD, XML, pictures, slip and code", entries.len()));
    let step = demo.screen.step("make the page for this chain", None);
    demo.network.make_page(&out.join("page")).await?;
    let layout = demo.network.layout();
    for (from, name, bytes_max) in
        [(layout.trust(), "trust.txt", TRUST_BYTES_MAX), (layout.directory(), "directory.bin", DIRECTORY_BYTES_MAX)]
    {
        durable::write(&out.join(name), &durable::read(&from, bytes_max)?, FileMode::Shared)?;
    }
    let portal = options.stays.then(|| portal_address(&demo.network)).flatten();
    let index = Index { chain_name: &demo.network.description().chain_name, portal: portal.as_deref() };
    let text = index.page(&entries, &issued.refused);
    durable::write(&out.join("index.html"), text.as_bytes(), FileMode::Shared)?;
    step.done("pinned to its trust file, for a server and as one file");
    Ok(City { demo, out })
}

/// Where people reach the portal.
fn portal_address(network: &Network) -> Option<String> {
    let portal = network.description().portal.as_ref()?;
    Some(format!("https://localhost:{}", portal.https.port()))
}

impl City {
    /// Says where everything is, and stops all processes.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.demo.hang_up();
        let step = self.demo.screen.step("stop all processes", None);
        self.demo.network.stop().await?;
        step.done("all drained");
        self.print_directions(None);
        Ok(())
    }

    /// Says where everything is, and goes on until `interrupted` is ready.
    pub(crate) async fn stay(mut self, interrupted: impl Future<Output = Result<&'static str>>) -> Result<()> {
        self.demo.hang_up();
        self.print_directions(portal_address(&self.demo.network).as_deref());
        up::watch(&mut self.demo.network, interrupted).await
    }

    fn print_directions(&self, portal: Option<&str>) {
        let out = self.out.display();
        outpage!("\n  what is there    {out}/index.html   (open it in a browser)\n");
        outpage!(
            "  the page         {out}/page/tallystick-verify.html   (one file: copy it to a phone, it needs no network)\n"
        );
        outpage!("  a receipt        {out}/S01/receipt.pdf, and the same as .tally, .ofd, .xml, pictures and code\n");
        match portal {
            Some(portal) => outpage!(
                "  the portal       {portal}   (a browser warns of the certificate: it is this network's own)\n\nCtrl-C stops it; the folder stays.\n"
            ),
            None => {
                outpage!("\nThe network is stopped, the folder stays. With --stay its portal goes on until Ctrl-C.\n")
            }
        }
    }
}
