//! A 32-byte secret at rest: an Ed25519 seed or a symmetric key, encrypted under a passphrase.
//!
//! ```text
//!   0  8  magic "tallykey"            14  4  argon2id passes, BE      38 24  XChaCha20 nonce
//!   8  1  format version = 1          18  4  argon2id lanes, BE       62 48  ciphertext[32] ‖ Poly1305 tag[16]
//!   9  1  kind: 1 seed, 2 symmetric   22 16  argon2id salt           110     end, nothing after it
//!  10  4  argon2id memory, KiB, BE
//! ```
//! Bytes 0–61 are the associated data, so kind and cost cannot be changed unnoticed. Costs are bounded before they are
//! paid. A key file is mode 0600. It is never overwritten but by the same secret under another passphrase ([`rewrite`]). Not here:
//! signing, and other kinds of custody (HSM).

use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::durable::{self, DurableError, FileMode};
use crate::rng::{Entropy, EntropyError, random_array};

const MAGIC: &[u8; 8] = b"tallykey";
const FORMAT_VERSION: u8 = 1;
const HEADER_BYTES: usize = 62;
const FILE_BYTES: usize = 110;
const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Refused above: a forged header must not make a process allocate without bound.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;

/// A 32-byte secret in memory; wiped when dropped.
pub type Secret = Zeroizing<[u8; 32]>;

/// A new secret, drawn into its place.
pub fn draw(entropy: &dyn Entropy) -> Result<Secret, EntropyError> {
    let mut secret = Secret::default();
    entropy.fill(secret.as_mut_slice())?;
    Ok(secret)
}

/// What the secret is for; a file of another kind is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Seed of an Ed25519 signing key.
    Ed25519Seed,
    /// Key of a cipher or of a keyed hash.
    Symmetric,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519Seed => 1,
            Self::Symmetric => 2,
        }
    }

    fn of_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519Seed, Self::Symmetric].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// What guessing one passphrase costs. Stands in the file; opening pays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl KdfCost {
    /// For keys in production: 64 MiB, 3 passes (RFC 9106, second recommendation, one lane); about 0.2 s.
    pub const STANDARD: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// For tests and development networks only: about 1 ms.
    pub const DEVELOPMENT: Self = Self { memory_kib: 256, passes: 1, lanes: 1 };

    /// The standard, or what the file has cost where that is more.
    fn at_least_standard(self) -> Self {
        let standard = Self::STANDARD;
        let (memory_kib, passes) = (self.memory_kib.max(standard.memory_kib), self.passes.max(standard.passes));
        Self { memory_kib, passes, lanes: self.lanes.max(standard.lanes) }
    }
}

/// Why a key file cannot be made or opened. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read, written, or others may touch it.
    #[error(transparent)]
    File(#[from] DurableError),
    /// The passphrase file is empty or not text.
    #[error("passphrase file {path}: {problem}", path = path.display())]
    Passphrase {
        /// The passphrase file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// Not a key file, cut short, or with bytes after its end.
    #[error("key file {path}: {problem}; restore it from its backup", path = path.display())]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The key is of another kind than asked for.
    #[error("key file {path} does not hold {wanted:?}; check which key file the config names", path = path.display())]
    WrongKind {
        /// The key file.
        path: PathBuf,
        /// The kind of key that was asked for.
        wanted: KeyKind,
    },
    /// The passphrase does not open it (or a byte of it changed: the two cannot be told apart).
    #[error("key file {path}: wrong passphrase, or damaged; check the passphrase file first", path = path.display())]
    WrongPassphrase {
        /// The key file.
        path: PathBuf,
    },
    /// None of the two passphrases of a change opens it.
    #[error(
        "key file {path}: opens neither under the old nor under the new passphrase, or is damaged; no key file was changed this time. \
         Check both passphrase files (that the new one is the one of an earlier try), and whether this key file has a passphrase of its own",
        path = path.display()
    )]
    NeitherPassphrase {
        /// The key file.
        path: PathBuf,
    },
    /// The passphrase is not changed.
    #[error("passphrase file {path}: has the old passphrase; put another one into it", path = path.display())]
    SamePassphrase {
        /// The file with the new passphrase.
        path: PathBuf,
    },
    /// A cost that the key derivation refuses.
    #[error("key derivation cost {0:?} is not possible; use KdfCost::STANDARD")]
    Cost(KdfCost),
    /// No randomness for salt and nonce.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl KeyFileError {
    /// The file that it is about.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(error) => Some(&error.path),
            Self::Passphrase { path, .. }
            | Self::Damaged { path, .. }
            | Self::WrongKind { path, .. }
            | Self::WrongPassphrase { path }
            | Self::NeitherPassphrase { path }
            | Self::SamePassphrase { path } => Some(path),
            Self::Cost(_) | Self::Entropy(_) => None,
        }
    }
}

/// A passphrase in memory; wiped when dropped, never printed.
#[derive(PartialEq, Eq)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Passphrase {
    /// Takes the text as it is.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.as_bytes().to_vec()))
    }

    /// Reads a file of mode 0600; one newline at its end does not count.
    pub fn from_file(path: &Path) -> Result<Self, KeyFileError> {
        durable::check_private(path)?;
        let mut bytes = Zeroizing::new(durable::read(path, PASSPHRASE_BYTES_MAX)?);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let problem = |problem| KeyFileError::Passphrase { path: path.to_owned(), problem };
        if bytes.is_empty() {
            return Err(problem("is empty; put the passphrase on its first line"));
        }
        if bytes.contains(&b'\n') {
            return Err(problem("has more than one line; the passphrase must stand on one line"));
        }
        Ok(Self(bytes))
    }
}

/// Encrypts `secret` into a new file. Refuses to overwrite one.
pub fn create(
    path: &Path,
    passphrase: &Passphrase,
    new_key: &NewKey<'_>,
    entropy: &dyn Entropy,
) -> Result<(), KeyFileError> {
    Ok(durable::create(path, &seal(passphrase, new_key, entropy)?, FileMode::Private)?)
}

fn seal(passphrase: &Passphrase, new_key: &NewKey<'_>, entropy: &dyn Entropy) -> Result<Vec<u8>, KeyFileError> {
    let salt = random_array::<16>(entropy)?;
    let nonce = random_array::<24>(entropy)?;
    let mut file = Vec::with_capacity(FILE_BYTES);
    file.extend_from_slice(MAGIC);
    file.push(FORMAT_VERSION);
    file.push(new_key.kind.byte());
    file.extend_from_slice(&new_key.cost.memory_kib.to_be_bytes());
    file.extend_from_slice(&new_key.cost.passes.to_be_bytes());
    file.extend_from_slice(&new_key.cost.lanes.to_be_bytes());
    file.extend_from_slice(&salt);
    file.extend_from_slice(&nonce);
    let cipher = cipher(passphrase, &salt, new_key.cost)?;
    let payload = Payload { msg: new_key.secret, aad: &file };
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| KeyFileError::Cost(new_key.cost))?;
    file.extend_from_slice(&sealed);
    Ok(file)
}

/// What to put into a new key file.
#[derive(Clone, Copy)]
pub struct NewKey<'a> {
    /// The secret.
    pub secret: &'a [u8; 32],
    /// The kind of key: what it may be used for.
    pub kind: KeyKind,
    /// What guessing the passphrase shall cost.
    pub cost: KdfCost,
}

/// A key that is in its file now.
#[derive(Debug)]
pub struct Held {
    /// The secret.
    pub secret: Secret,
    /// Whether it was made just now.
    pub is_new: bool,
}

/// Opens the key file at `path`, or draws a secret and makes the file, at [`KdfCost::STANDARD`]. What was interrupted is
/// therefore completed by doing it again.
pub fn open_or_make(
    path: &Path,
    passphrase: &Passphrase,
    kind: KeyKind,
    entropy: &dyn Entropy,
) -> Result<Held, KeyFileError> {
    if path.exists() {
        return Ok(Held { secret: open(path, passphrase, kind)?, is_new: false });
    }
    let secret = draw(entropy)?;
    create(path, passphrase, &NewKey { secret: &secret, kind, cost: KdfCost::STANDARD }, entropy)?;
    // A key that cannot be read back is found now, not when it is needed.
    let read_back = open(path, passphrase, kind)?;
    Ok(Held { secret: read_back, is_new: true })
}

/// Opens a key file of mode 0600 and of the wanted kind.
pub fn open(path: &Path, passphrase: &Passphrase, wanted: KeyKind) -> Result<Secret, KeyFileError> {
    let file = read(path)?;
    let header = Header::parse(&file).map_err(|problem| damaged(path, problem))?;
    if header.kind != wanted {
        return Err(KeyFileError::WrongKind { path: path.to_owned(), wanted });
    }
    header.unseal(path, passphrase)
}

/// The passphrases of a change.
#[derive(Clone, Copy)]
pub struct Passphrases<'a> {
    /// The one of before.
    pub old: &'a Passphrase,
    /// The one to come.
    pub new: &'a Passphrase,
}

/// Puts key files of any kind under another passphrase, each replaced durably and at once, at [`KdfCost::STANDARD`] or what it has cost before.
/// Those that open under the new one already are left alone, so what was interrupted is completed by doing it again. Nothing
/// is changed unless all of them open. Says of each, in the order given, whether it was replaced; where one cannot be written,
/// those before it have been.
pub fn rewrite(
    paths: &[PathBuf],
    passphrases: Passphrases<'_>,
    entropy: &dyn Entropy,
) -> Result<Vec<bool>, KeyFileError> {
    let opened = paths.iter().map(|path| open_for_rewrite(path, passphrases)).collect::<Result<Vec<_>, _>>()?;
    let mut replaced = Vec::with_capacity(opened.len());
    for one in opened {
        replaced.push(one.is_some());
        let Some(Opened { path, kind, cost, secret }) = one else { continue };
        let file = seal(passphrases.new, &NewKey { secret: &secret, kind, cost: cost.at_least_standard() }, entropy)?;
        // The old file will be gone. So make sure that the new one can be read before it is replaced.
        let read_back = Header::parse(&file).map_err(|problem| damaged(&path, problem))?;
        if *read_back.unseal(&path, passphrases.new)? != *secret {
            return Err(damaged(
                &path,
                "would be written with another secret (faulty memory?); it was left as it is".to_owned(),
            ));
        }
        durable::write(&path, &file, FileMode::Private)?;
    }
    Ok(replaced)
}

struct Opened {
    path: PathBuf,
    kind: KeyKind,
    cost: KdfCost,
    secret: Secret,
}

/// `None` if it opens under the new passphrase.
fn open_for_rewrite(path: &Path, passphrases: Passphrases<'_>) -> Result<Option<Opened>, KeyFileError> {
    let file = read(path)?;
    // The file itself is replaced, not a link to it.
    let path = durable::own_file(path)?;
    let header = Header::parse(&file).map_err(|problem| damaged(&path, problem))?;
    match header.unseal(&path, passphrases.old) {
        Ok(secret) => Ok(Some(Opened { kind: header.kind, cost: header.cost, secret, path })),
        Err(KeyFileError::WrongPassphrase { .. }) => match header.unseal(&path, passphrases.new) {
            Ok(_) => Ok(None),
            Err(KeyFileError::WrongPassphrase { path }) => Err(KeyFileError::NeitherPassphrase { path }),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    durable::check_private(path)?;
    durable::read(path, FILE_BYTES).map_err(|error| match error.source.kind() {
        std::io::ErrorKind::FileTooLarge => damaged(path, "is too long for a key file".to_owned()),
        _ => KeyFileError::File(error),
    })
}

struct Header<'a> {
    bytes: &'a [u8],
    kind: KeyKind,
    cost: KdfCost,
    salt: &'a [u8],
    nonce: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(file: &'a [u8]) -> Result<Self, String> {
        if !file.starts_with(MAGIC) {
            return Err("is not a key file".to_owned());
        }
        if file.len() != FILE_BYTES {
            return Err(format!("has {} bytes instead of {FILE_BYTES}", file.len()));
        }
        if file[8] != FORMAT_VERSION {
            return Err(format!("has format version {}; this program knows {FORMAT_VERSION}", file[8]));
        }
        let kind = KeyKind::of_byte(file[9]);
        let kind = kind.ok_or_else(|| format!("holds a key of kind {}, which this program does not know", file[9]))?;
        let number = |at: usize| file[at..at + 4].iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        let cost = KdfCost { memory_kib: number(10), passes: number(14), lanes: number(18) };
        if cost.memory_kib > MEMORY_KIB_MAX || cost.passes > PASSES_MAX || cost.lanes > LANES_MAX {
            return Err(format!("demands an unreasonable key derivation cost {cost:?}"));
        }
        Ok(Self {
            bytes: &file[..HEADER_BYTES],
            kind,
            cost,
            salt: &file[22..38],
            nonce: &file[38..HEADER_BYTES],
            sealed: &file[HEADER_BYTES..],
        })
    }

    fn unseal(&self, path: &Path, passphrase: &Passphrase) -> Result<Secret, KeyFileError> {
        let cipher = cipher(passphrase, self.salt, self.cost)?;
        let payload = Payload { msg: self.sealed, aad: self.bytes };
        let opened = cipher
            .decrypt(XNonce::from_slice(self.nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| KeyFileError::WrongPassphrase { path: path.to_owned() })?;
        let mut secret = Secret::default();
        if opened.len() != secret.len() {
            return Err(damaged(path, "holds a secret of another length".to_owned()));
        }
        secret.copy_from_slice(&opened);
        Ok(secret)
    }
}

fn cipher(passphrase: &Passphrase, salt: &[u8], cost: KdfCost) -> Result<XChaCha20Poly1305, KeyFileError> {
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| KeyFileError::Cost(cost))?;
    // The working memory is allocated here so that it is wiped: the key could be computed from what is left in it.
    let mut memory = Zeroizing::new(vec![Block::default(); params.block_count()]);
    let mut key = Secret::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(&passphrase.0, salt, key.as_mut_slice(), memory.as_mut_slice())
        .map_err(|_| KeyFileError::Cost(cost))?;
    XChaCha20Poly1305::new_from_slice(key.as_slice()).map_err(|_| KeyFileError::Cost(cost))
}

fn damaged(path: &Path, problem: String) -> KeyFileError {
    KeyFileError::Damaged { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests;
