//! `trust`: making, showing and updating trust files.

use receipt_core::hash::Hash;
use receipt_core::ids::UnixMillis;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::utc_text;
use tallystick_service::errln;
use tallystick_service::exit::Exit;
use tallystick_verifier::follow::{FollowError, follow};
use tallystick_verifier::source::SourceError;

use super::{Failure, OrExit, print_file, print_text, read_genesis, read_trust, source_of};
use crate::cli::TrustCommand;

pub(super) fn run(command: &TrustCommand) -> Result<Exit, Failure> {
    match command {
        TrustCommand::Show { file } => {
            print_text(&summary(&read_trust(file)?))?;
        }
        TrustCommand::FromGenesis { genesis } => {
            let trust = TrustFile::from_genesis(&read_genesis(genesis)?).or_exit(Exit::Usage)?;
            print_file(&trust.to_text())?;
        }
        TrustCommand::Update { file, source, tls } => {
            let trust = read_trust(file)?;
            let source = source_of(source, tls, trust.chain_name())?;
            let followed = match follow(&trust, &source) {
                Ok(followed) => followed,
                Err(error @ FollowError::Source(SourceError::OtherChain { .. })) => {
                    return Err(error).or_exit(Exit::Unjudged);
                }
                Err(error @ FollowError::Source(_)) => return Err(error).or_exit(Exit::NoAccess),
                Err(error) => return Err(error).or_exit(Exit::Bad),
            };
            print_file(&followed.trust.to_text())?;
            let (sets, authorities) = (followed.new_sets, followed.new_authorities);
            errln!(
                "new: {sets} validator set{}, {authorities} set{} of authorities; as of tree size {}",
                plural(sets),
                plural(authorities),
                followed.tree_size
            );
            for known in &followed.beyond {
                errln!(
                    "warning: the trust file has {known}, and the source is sealed up to tree size {} only: it lags, and this was \
                     compared with nothing. Ask another node, or a newer export",
                    followed.tree_size
                );
            }
        }
    }
    Ok(Exit::Good)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn summary(trust: &TrustFile) -> String {
    let mut text = format!(
        "chain      {} {}\norigin     {}\nutc offset {} minutes\n",
        trust.chain_name(),
        trust.chain_id().0,
        trust.origin(),
        trust.utc_offset_minutes()
    );
    if trust.is_test() {
        text += "TEST CHAIN its receipts are specimens (测试样票)\n";
    }
    for known in trust.authority_sets() {
        let (threshold, keys) = (known.set.threshold, &known.set.keys);
        text += &format!("authorities from leaf {}: {threshold} of {} must sign\n", known.first_leaf, keys.len());
        for key in keys {
            text += &format!("           {}\n", Hash(key.0));
        }
    }
    for set in trust.sets() {
        let last = set.end.map_or_else(
            || "open".to_owned(),
            |end| {
                format!("{} (until {})", end.last_size, utc_text(UnixMillis::new(end.until.get().saturating_mul(1000))))
            },
        );
        let names: Vec<&str> = set.policy.cosigner_keys().map(|key| trust.agency(key.name())).collect();
        text +=
            &format!("validators {} to {last}: {}\n           {}\n", set.first_size, names.join(", "), set.set_hash);
    }
    text
}
