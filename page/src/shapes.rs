//! The two shapes of the page, and the policy of each: what a browser lets it do at all.
//!
//! ```text
//! both      two scripts and one stylesheet, each by its hash; WebAssembly; no markup from text
//! hosted    besides: asks its own origin, where verifier, second script and directory of units are, and typed entries are looked up
//! one file  no connection of any kind, and a form only for who can be told so
//! ```

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use receipt_core::code::Host;
use receipt_core::hash::{Hash, sha256};

use crate::script::{bundle, bundle_after, slim};
use crate::template::fill;

const HTML: &str = include_str!("../site/index.html");
const STYLE: &str = include_str!("../site/style.css");
const MODULES: &[(&str, &str)] = &[
    ("address.js", include_str!("../site/address.js")),
    ("base64.js", include_str!("../site/base64.js")),
    ("camera.js", include_str!("../site/camera.js")),
    ("carrier.js", include_str!("../site/carrier.js")),
    ("clock.js", include_str!("../site/clock.js")),
    ("directory.js", include_str!("../site/directory.js")),
    ("face.js", include_str!("../site/face.js")),
    ("judge.js", include_str!("../site/judge.js")),
    ("kinds.js", include_str!("../site/kinds.js")),
    ("open.js", include_str!("../site/open.js")),
    ("page.js", include_str!("../site/page.js")),
    ("parts.js", include_str!("../site/parts.js")),
    ("picture.js", include_str!("../site/picture.js")),
    ("read.js", include_str!("../site/read.js")),
    ("refresh.js", include_str!("../site/refresh.js")),
    ("result.js", include_str!("../site/result.js")),
    ("show.js", include_str!("../site/show.js")),
    ("state.js", include_str!("../site/state.js")),
    ("tidy.js", include_str!("../site/tidy.js")),
    ("verdict.js", include_str!("../site/verdict.js")),
    ("verifier.js", include_str!("../site/verifier.js")),
    ("words.js", include_str!("../site/words.js")),
];
const ENTRY: &str = "page.js";
/// Modules of the second script, which is fetched when somebody asks for a part of it. They import any module, those above only each other.
const MORE: &[(&str, &str)] = &[
    ("fetching.js", include_str!("../site/fetching.js")),
    ("files.js", include_str!("../site/files.js")),
    ("keep.js", include_str!("../site/keep.js")),
    ("kept.js", include_str!("../site/kept.js")),
    ("kept-rows.js", include_str!("../site/kept-rows.js")),
    ("more.js", include_str!("../site/more.js")),
    ("more-style.js", include_str!("../site/more-style.js")),
    ("more-words.js", include_str!("../site/more-words.js")),
    ("pick.js", include_str!("../site/pick.js")),
    ("presentation.js", include_str!("../site/presentation.js")),
    ("proof.js", include_str!("../site/proof.js")),
    ("reference.js", include_str!("../site/reference.js")),
    ("report.js", include_str!("../site/report.js")),
    ("save.js", include_str!("../site/save.js")),
    ("store.js", include_str!("../site/store.js")),
    ("typed.js", include_str!("../site/typed.js")),
    ("zip.js", include_str!("../site/zip.js")),
];
const MORE_ENTRY: &str = "more.js";

/// The file that the first verdict takes.
const FIRST: &str = "verify";

/// What differs between the two.
struct Shape {
    /// Whom the page may ask.
    origin: &'static str,
    /// The word of what the page can do, with and without a network.
    lead: &'static str,
    /// Attributes of the parts that need somebody who answers, before a script has run: the typed form, and addresses of this site.
    typed: &'static str,
    /// Attributes of the form.
    elements: &'static str,
}

const HOSTED: Shape = Shape { origin: "'self'", lead: "leadSite", typed: "", elements: " action=\"elements\"" };
const ONE_FILE: Shape = Shape { origin: "'none'", lead: "lead", typed: " hidden", elements: "" };

/// In which shape of the page a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Hosted,
    OneFile,
    Both,
}

/// A file that belongs to a page, pinned by its hash: beside the hosted one, within the one on a disk.
#[derive(Clone, Copy)]
pub(crate) struct Pinned<'a> {
    /// By which the page's script finds it, and how its file's name begins.
    name: &'static str,
    place: Place,
    /// How its file's name ends.
    extension: &'static str,
    bytes: &'a [u8],
    hash: Hash,
}

impl<'a> Pinned<'a> {
    /// The verifier of files: every page from a server runs it.
    pub(crate) fn verifier(bytes: &'a [u8]) -> Self {
        Self { name: FIRST, place: Place::Hosted, extension: "wasm", bytes, hash: sha256(&[bytes]) }
    }

    /// The verifier that answers all questions: a page on a disk has what it needs, and no part of it twice.
    pub(crate) fn whole_verifier(bytes: &'a [u8]) -> Self {
        Self { place: Place::OneFile, ..Self::verifier(bytes) }
    }

    /// The verifier of codes: fetched when somebody brings one.
    pub(crate) fn codes(bytes: &'a [u8]) -> Self {
        Self { name: "codes", place: Place::Hosted, extension: "wasm", bytes, hash: sha256(&[bytes]) }
    }

    /// What makes a part of a receipt to show: fetched when somebody picks one.
    pub(crate) fn sharing(bytes: &'a [u8]) -> Self {
        Self { name: "sharing", place: Place::Hosted, extension: "wasm", bytes, hash: sha256(&[bytes]) }
    }

    /// What opens documents and reads codes: fetched when somebody brings one.
    pub(crate) fn carrier(bytes: &'a [u8]) -> Self {
        Self { name: "carrier", place: Place::Both, extension: "wasm", bytes, hash: sha256(&[bytes]) }
    }

    /// By what codes are judged: fetched when somebody brings one.
    pub(crate) fn directory(bytes: &'a [u8]) -> Self {
        Self { name: "units", place: Place::Both, extension: "bin", bytes, hash: sha256(&[bytes]) }
    }

    /// The second script: fetched when somebody asks for a part of it.
    fn more(script: &'a str) -> Self {
        let bytes = script.as_bytes();
        Self { name: "more", place: Place::Both, extension: "js", bytes, hash: sha256(&[bytes]) }
    }

    /// Another content has another name, so that no cache keeps an old one under a new page.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}.{}", self.name, &self.hash.to_string()[..16], self.extension)
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the hosted page fetches it.
    fn named(&self) -> String {
        let (name, address, hash) = (self.name, self.file_name(), source_hash(&self.hash));
        format!(
            "<script id=\"{name}\" type=\"text/plain\" data-address=\"{address}\" data-integrity=\"{hash}\"></script>\n"
        )
    }

    /// All of it, for the page on a disk. A script stands there as it is, so that its hash is that of the policy.
    fn whole(&self) -> String {
        let text = std::str::from_utf8(self.bytes).ok().filter(|_| self.extension == "js");
        let text = text.map_or_else(|| STANDARD.encode(self.bytes), str::to_owned);
        format!("<script id=\"{}\" type=\"text/plain\">{text}</script>\n", self.name)
    }
}

/// What a page is made of.
pub(crate) struct Parts<'a> {
    pinned: &'a [Pinned<'a>],
    trust: &'a str,
    hosts: &'a [Host],
    style: String,
    script: String,
    more: String,
}

impl<'a> Parts<'a> {
    /// Bundles the scripts, and refuses what would end its place in the document early. `hosts`: where codes may lead that this page judges.
    pub(crate) fn new(pinned: &'a [Pinned<'a>], trust: &'a str, hosts: &'a [Host]) -> Result<Self> {
        let (script, style) = (bundle(MODULES, ENTRY)?, slim(STYLE)?);
        let more = bundle_after((MODULES, ENTRY), MORE, MORE_ENTRY)?;
        // A browser ends a script at these, and turns CR into LF before it hashes.
        for (name, text) in [("the script", &script), ("the second script", &more), ("the style", &style)] {
            let ends = ["</", "<!--", "\r"].iter().find(|end| text.contains(**end));
            ensure!(ends.is_none(), "{name} contains {ends:?}");
        }
        ensure!(!trust.contains('<'), "a page cannot carry a trust file with the character < in a name");
        Ok(Self { pinned, trust, hosts, style, script, more })
    }

    /// The files that lie beside the page on a server: those that it was given, and the second script.
    pub(crate) fn files(&self) -> impl Iterator<Item = Pinned<'_>> {
        self.files_of(Place::Hosted)
    }

    fn files_of(&self, place: Place) -> impl Iterator<Item = Pinned<'_>> {
        let is_there = move |file: &Pinned<'_>| [place, Place::Both].contains(&file.place);
        self.pinned.iter().copied().chain([Pinned::more(&self.more)]).filter(is_there)
    }

    /// The page for a server.
    pub(crate) fn hosted(&self) -> Result<String> {
        self.page(self.files().map(|file| (file, file.named())), &HOSTED)
    }

    /// The page for a disk.
    pub(crate) fn one_file(&self) -> Result<String> {
        self.page(self.files_of(Place::OneFile).map(|file| (file, file.whole())), &ONE_FILE)
    }

    /// `blocks`: of each file what stands in the document. Of what the first verdict takes before the script, so that a browser compiles the verifier
    /// while it reads the rest.
    fn page<'b>(&self, blocks: impl Iterator<Item = (Pinned<'b>, String)>, shape: &Shape) -> Result<String> {
        let (first, rest): (Vec<_>, Vec<_>) = blocks.partition(|(file, _)| file.name == FIRST);
        let [first, rest] = [first, rest].map(|blocks| blocks.into_iter().map(|(_, block)| block).collect::<String>());
        let hash = |text: &str| source_hash(&sha256(&[text.as_bytes()]));
        let policy = format!(
            "default-src 'none'; script-src '{}' '{}' 'wasm-unsafe-eval'; style-src '{}'; connect-src {origin}; img-src data:; \
             base-uri 'none'; form-action {origin}; require-trusted-types-for 'script'; trusted-types more",
            hash(&self.script),
            hash(&self.more),
            hash(&self.style),
            origin = shape.origin
        );
        let hosts = self.hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(" ");
        let contents = [
            ("hosts", hosts.as_str()),
            ("policy", policy.as_str()),
            ("style", &self.style),
            ("trust", self.trust),
            ("lead", shape.lead),
            ("typed", shape.typed),
            ("elements", shape.elements),
            ("first", &first),
            ("script", &self.script),
            ("rest", &rest),
        ];
        fill(HTML, &contents)
    }
}

/// As policies and integrity attributes write it.
fn source_hash(hash: &Hash) -> String {
    format!("sha256-{}", STANDARD.encode(hash.as_bytes()))
}

#[cfg(test)]
mod tests {
    use receipt_core::testkit::TestChain;

    use super::*;

    #[test]
    fn the_same_parts_give_the_same_pages_and_the_policy_names_them() {
        let trust = TestChain::new().trust().to_text();
        let hosts = ["tally.example", "old.example:8443"].map(|host| Host::new(host).unwrap());
        let pinned = [
            Pinned::verifier(b"\0asm"),
            Pinned::whole_verifier(b"\0asm all"),
            Pinned::codes(b"\0asm codes"),
            Pinned::sharing(b"\0asm sharing"),
            Pinned::carrier(b"\0asm carrier"),
            Pinned::directory(b"units"),
        ];
        let parts = Parts::new(&pinned, &trust, &hosts).unwrap();
        let (hosted, one_file) = (parts.hosted().unwrap(), parts.one_file().unwrap());
        assert_eq!(hosted, Parts::new(&pinned, &trust, &hosts).unwrap().hosted().unwrap());
        for page in [&hosted, &one_file] {
            let script = page.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
            let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
            let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
            for part in [script, style] {
                assert!(policy.contains(&source_hash(&sha256(&[part.as_bytes()]))), "{policy}");
            }
            assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
            assert!(page.contains("content=\"TALLY.EXAMPLE OLD.EXAMPLE:8443\""), "codes lead to these");
            assert!(page.contains(&trust), "the trust file stands in it as it is");
        }
        assert!(hosted.contains("connect-src 'self'") && hosted.contains("form-action 'self'"));
        assert!(one_file.contains("connect-src 'none'") && one_file.contains("form-action 'none'"));
        // The site's forms and the page as one file are where there is a site; what takes a network is not promised without one.
        assert!(hosted.contains("data-word=\"leadSite\"") && hosted.contains("<p id=\"site\">"));
        assert!(one_file.contains("data-word=\"lead\"") && one_file.contains("<p id=\"site\" hidden>"));
        for file in parts.files() {
            let (name, hash) = (file.file_name(), source_hash(&sha256(&[file.bytes()])));
            assert!(hosted.contains(&name) && hosted.contains(&hash) && !one_file.contains(&name), "{name}");
        }
        for file in parts.files_of(Place::OneFile).filter(|file| file.name != "more") {
            assert!(one_file.contains(&STANDARD.encode(file.bytes())), "{}", file.name);
        }
        assert!(
            !one_file.contains("id=\"codes\"") && hosted.contains("id=\"codes\""),
            "its questions are in the other"
        );
        // What the first verdict takes is read before the script, all else behind it.
        let place = |text: &str| one_file.find(text).unwrap();
        let [verifier, script, carrier] = ["id=\"verify\"", "<script>", "id=\"carrier\""].map(place);
        assert!(verifier < script && script < carrier, "{verifier} {script} {carrier}");
        // The second script runs by the same hash in both.
        let more = one_file
            .split_once("<script id=\"more\" type=\"text/plain\">")
            .unwrap()
            .1
            .split_once("</script>")
            .unwrap()
            .0;
        assert_eq!(more, parts.more);
        for page in [&hosted, &one_file] {
            let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
            assert!(policy.contains(&source_hash(&sha256(&[more.as_bytes()]))), "{policy}");
        }
        let without = Parts::new(&pinned[..5], &trust, &hosts).unwrap();
        assert!(!without.hosted().unwrap().contains("id=\"units\"") && hosted.contains("id=\"units\""));
    }

    #[test]
    fn a_name_that_would_end_its_place_in_the_document_is_refused() {
        assert!(Parts::new(&[Pinned::verifier(b"\0asm")], "name </script>", &[]).is_err());
    }

    #[test]
    fn every_module_of_the_site_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/site");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = [MODULES, MORE].concat().iter().any(|(module, _)| *module == name)
                || ["index.html", "style.css"].contains(&&*name);
            assert!(known, "{name} is in no list");
        }
    }
}
