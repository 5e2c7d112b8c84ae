//! Somebody to ask the agent as, where nobody was configured.
//!
//! Its passphrases are shown once, to whoever started the agent, and are no line of the log. Until then they are
//! in a file that only the agent's user can read; afterwards nothing is kept but keys that serve at this engine
//! alone.
//! Invariant: at every instant the user's keys, or the passphrases that they come from, are durable, and a
//! start that failed loses neither.

use crate::config::Configuration;
use crate::store::Store;
use roles::auth::{AuthProtocol as _, AuthProtocolProxy};
use roles::settings::KeyForm;
use s_proxy::Runtime;
use s_sdk::{Activity, Buf, State};
use zeroize::Zeroizing;

/// Their name.
pub(crate) const NAME: &str = "reader";

/// The file with their keys, and the one with their passphrases until somebody has seen them.
const KEYS: &str = "first-user";
const PASSPHRASES: &str = "first-user-passphrases";

/// usmHMAC192SHA256AuthProtocol (RFC 7860), whose hash makes keys of 32 octets.
const SHA_256: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5];

/// usmAesCfb128Protocol takes so many octets of them (RFC 3826 §1.2).
const AES_KEY: usize = 16;

#[derive(State)]
#[state(kind = "sagentd-first-user", version = 1)]
struct Keys {
    engine_id: Vec<u8>,
    auth: Vec<u8>,
    privacy: Vec<u8>,
}

/// Passphrases that nobody has seen yet.
pub(crate) struct Unseen {
    passphrases: [Zeroizing<String>; 2],
    store: Store,
}

/// Adds the user where nobody else is configured. Answers the passphrases that are to be shown, and what was
/// odd.
///
/// # Errors
/// Keys cannot be made, or not be kept.
pub(crate) fn add(
    store: &Store,
    engine_id: &[u8],
    runtime: &'static Runtime,
    act: &Activity,
    configuration: &mut Configuration,
) -> Result<(Option<Unseen>, Option<String>), String> {
    if configuration.is_closed || configuration.names_somebody() {
        return Ok((None, None));
    }
    let (unseen, mut odd) = match store.read(PASSPHRASES, passphrases_of)?.into_parts() {
        (Some(passphrases), odd) => (Some(passphrases), odd),
        (None, odd) => (None, odd),
    };
    let kept = store.read(KEYS, |content| Keys::import(1, content).ok())?;
    let (kept, warning) = kept.into_parts();
    odd = warning.or(odd);
    // Keys of another engine open nothing here.
    let kept = kept.filter(|keys| keys.engine_id == engine_id);
    let (keys, unseen) = match (kept, unseen) {
        (Some(keys), unseen) => (keys, unseen),
        (None, unseen) => {
            let passphrases = match unseen {
                Some(passphrases) => passphrases,
                None => {
                    let made = [passphrase()?, passphrase()?];
                    write(store, PASSPHRASES, text_of(&made).as_bytes())?;
                    made
                }
            };
            let keys = keys(engine_id, &passphrases, runtime, act)?;
            let mut octets = Zeroizing::new(Vec::new());
            keys.export(1, &mut octets).map_err(|error| error.to_string())?;
            write(store, KEYS, &octets)?;
            (keys, Some(passphrases))
        }
    };
    configuration.add_reader(NAME, KeyForm::Localized, [keys.auth, keys.privacy])?;
    configuration.has_first_user = true;
    let unseen = unseen.map(|passphrases| Unseen { passphrases, store: store.clone() });
    Ok((unseen, odd))
}

impl Unseen {
    /// Where they are until they were seen, for an operator who sees the log alone.
    pub(crate) fn notice(&self) -> String {
        let file = self.store.path().join(PASSPHRASES);
        let file = file.display();
        format!(
            "nobody is configured, so a user was made who may read everything; `tail -n 3 {file}` shows \
             the passphrases, then delete that file"
        )
    }

    /// What the operator is told, with a command to try on a place where the agent listens.
    pub(crate) fn welcome(&self, address: &str) -> String {
        let [auth, private] = &self.passphrases;
        let (auth, private) = (auth.as_str(), private.as_str());
        format!(
            "Nobody is configured, so a user was made who may read everything. This is shown once:\n\
             \n  user {NAME}, authentication {auth} (SHA-256), privacy {private} (AES)\n\
             \nTry it:\n\
             \n  snmpget -v3 -l authPriv -u {NAME} -a SHA-256 -A {auth} -x AES -X {private} {address} \
             1.3.6.1.2.1.1.3.0\n"
        )
    }

    /// Forgets them, once they were seen.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn forget(self) -> std::io::Result<()> {
        self.store.remove(PASSPHRASES)
    }
}

fn write(store: &Store, name: &str, content: &[u8]) -> Result<(), String> {
    store.write(name, content).map_err(|error| format!("the first user cannot be kept: {error}"))
}

/// As a person reads it: behind the store's own octets a line begins.
fn text_of([auth, private]: &[Zeroizing<String>; 2]) -> Zeroizing<String> {
    let (auth, private) = (auth.as_str(), private.as_str());
    Zeroizing::new(format!("\nuser {NAME}\nSHA-256 {auth}\nAES {private}\n"))
}

fn passphrases_of(content: &[u8]) -> Option<[Zeroizing<String>; 2]> {
    let mut lines = std::str::from_utf8(content).ok()?.lines().skip(2);
    let mut next =
        |protocol| Some(Zeroizing::new(lines.next()?.strip_prefix(protocol)?.to_owned()));
    Some([next("SHA-256 ")?, next("AES ")?])
}

/// The keys of passphrases at this engine (RFC 3414 §2.6).
fn keys(
    engine_id: &[u8],
    passphrases: &[Zeroizing<String>; 2],
    runtime: &'static Runtime,
    act: &Activity,
) -> Result<Keys, String> {
    let hash: AuthProtocolProxy = runtime.proxy("auth.sha2").map_err(|error| error.to_string())?;
    let key_of = |passphrase: &str| {
        let (mut master, mut localized) = (Buf::new(), Buf::new());
        hash.password_to_key(act, SHA_256, passphrase.as_bytes(), &mut master)
            .and_then(|()| hash.localize_key(act, SHA_256, &master, engine_id, &mut localized))
            .map_err(|error| format!("the first user's keys: {error}"))?;
        Ok::<_, String>(localized.to_vec())
    };
    let [auth, private] = passphrases;
    let mut privacy = key_of(private)?;
    privacy.truncate(AES_KEY);
    Ok(Keys { engine_id: engine_id.to_vec(), auth: key_of(auth)?, privacy })
}

/// Twenty letters and digits that are not mistaken for each other: 100 bits.
fn passphrase() -> Result<Zeroizing<String>, String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut octets = Zeroizing::new([0; 20]);
    getrandom::fill(&mut *octets).map_err(|error| format!("no random octets: {error}"))?;
    let letter = |octet: &u8| char::from(LETTERS[usize::from(octet % 32)]);
    Ok(Zeroizing::new(octets.iter().map(letter).collect()))
}
