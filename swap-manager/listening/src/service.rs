//! The sockets, and the one thread that serves them.
//!
//! The thread runs an asynchronous runtime of its own; what waits for disks, children or modules goes to helper
//! threads (`shared`). Nothing here is shared with the threads that serve the application's requests but the
//! swap manager's handle. Invariant: who calls is settled before the first octet of a request is looked at.

use crate::application::Application;
use crate::connections::{Connections, Place};
use crate::fault::Fault;
use crate::operators::Operators;
use crate::routes::router;
use crate::shared::{HELPERS, Shared};
use axum::Router;
use axum::extract::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use s_control::SwapManager;
use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// How long a handshake may take, and the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// What the head of a request may weigh.
const HEAD_OCTETS: usize = 16 << 10;
/// How long helpers are waited for at the end; one whose module hangs stays behind.
const STOPPING: Duration = Duration::from_secs(1);

/// How a service is set up.
pub struct Config {
    /// Where the Unix socket is made. Only the owner can connect, unless operators are named by their users.
    pub unix: PathBuf,
    /// TLS, where operators come from afar.
    pub tls: Option<Tls>,
    /// Who may do what.
    pub operators: Operators,
    /// Whether whoever pushed a swap may not be the one who confirms it.
    pub two_persons: bool,
}

/// TLS 1.3 with client certificates. All files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The service's certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The roots of the operators' certificates.
    pub client_ca: PathBuf,
}

/// Why a service does not listen.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process listens there.
    #[error("somebody listens on {0} already: is this application running twice?")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0} is not a socket: name another place, or move what is there")]
    NotASocket(PathBuf),
    /// The Unix socket.
    #[error("cannot listen on {path}: {source}")]
    Unix {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address for TLS.
    #[error("cannot listen on {listen}: {source}")]
    Tcp {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A certificate, or a key.
    #[error("{path}: {why}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The machine has no thread, or no descriptor.
    #[error("no thread for the listening service: {0}")]
    Thread(io::Error),
}

/// The socket's file, and which one it is: another process may have put its own there.
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// A service that listens, until it is stopped or dropped.
pub struct Service {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    tls: Option<SocketAddr>,
    socket: SocketFile,
}

impl Service {
    /// Listens.
    ///
    /// # Errors
    /// See [`OpenError`]; then nothing is listened on.
    pub fn open(
        config: Config,
        manager: SwapManager,
        application: Arc<dyn Application>,
    ) -> Result<Self, OpenError> {
        let tls =
            config.tls.as_ref().map(|tls| Ok((bind_tcp(tls)?, acceptor(tls)?))).transpose()?;
        let (unix, socket) = bind_unix(&config.unix, config.operators.has_uids())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2 * HELPERS)
            .thread_name("listening-help")
            .build()
            .map_err(OpenError::Thread)?;
        let address = tls.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        let entering = runtime.enter();
        let unix = tokio::net::UnixListener::from_std(unix).map_err(OpenError::Thread)?;
        let tls = tls.map(|(listener, acceptor)| {
            Ok((tokio::net::TcpListener::from_std(listener).map_err(OpenError::Thread)?, acceptor))
        });
        let tls = tls.transpose()?;
        drop(entering);
        let shared = Shared::new(manager, application, config.two_persons);
        let door = Door {
            router: router(shared),
            connections: Connections::default(),
            operators: Arc::new(config.operators),
            own: rustix::process::geteuid().as_raw(),
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("listening".into());
        let thread = thread.spawn(move || run(runtime, &door, unix, tls, stopped));
        let thread = thread.map_err(OpenError::Thread)?;
        Ok(Service { stop: Some(stop), thread: Some(thread), tls: address, socket })
    }

    /// Where TLS is listened on, with the port that was chosen where 0 was asked for.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// Stops listening, gives up requests that are being answered, and waits for that. Swaps that run go on.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let SocketFile { path, device, inode } = &self.socket;
        if fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (*device, *inode)) {
            // One that stays is replaced by the next that listens there.
            let _ = fs::remove_file(path);
        }
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// ===== The sockets =====

/// A socket that is complete when it appears under its name. Who may connect is a first fence only: the kernel
/// says who did, and that decides.
fn bind_unix(path: &Path, for_others: bool) -> Result<(UnixListener, SocketFile), OpenError> {
    let fault = |source| OpenError::Unix { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(OpenError::NotASocket(path.to_owned()));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(OpenError::InUse(path.to_owned()));
        }
        // One that a process left behind when it was killed.
        _ => {}
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(fault)?;
    let mode = if for_others { 0o666 } else { 0o600 };
    let made = || {
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        let found = fs::metadata(&new)?;
        fs::rename(&new, path)?;
        Ok(SocketFile { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    };
    let file = made().map_err(fault)?;
    Ok((listener, file))
}

fn bind_tcp(tls: &Tls) -> Result<TcpListener, OpenError> {
    let bound = TcpListener::bind(tls.listen).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| OpenError::Tcp { listen: tls.listen, source })
}

/// TLS 1.3, with a certificate that the operators' root vouches for, or not at all. Nothing of a session is kept:
/// a certificate is looked at each time.
fn acceptor(tls: &Tls) -> Result<TlsAcceptor, OpenError> {
    fn fault(path: &Path, why: &dyn std::fmt::Display) -> OpenError {
        OpenError::Certificate { path: path.to_owned(), why: why.to_string() }
    }
    let certificates = |path: &Path| {
        let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
        let found = read().map_err(|why| fault(path, &why))?;
        if found.is_empty() { Err(fault(path, &"no certificate in it")) } else { Ok(found) }
    };
    let mut roots = rustls::RootCertStore::empty();
    for root in certificates(&tls.client_ca)? {
        roots.add(root).map_err(|why| fault(&tls.client_ca, &why))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|why| fault(&tls.client_ca, &why))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|why| fault(&tls.key, &why))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|why| fault(&tls.certificate, &why))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&tls.certificate)?, key)
        .map_err(|why| fault(&tls.certificate, &why))?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(TlsAcceptor::from(Arc::new(config)))
}

// ===== The thread =====

/// What every newcomer meets.
#[derive(Clone)]
struct Door {
    router: Router,
    connections: Connections,
    operators: Arc<Operators>,
    /// The application's own user.
    own: u32,
}

type TlsListener = (tokio::net::TcpListener, TlsAcceptor);

fn run(
    runtime: Runtime,
    door: &Door,
    unix: tokio::net::UnixListener,
    tls: Option<TlsListener>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        tokio::select! {
            () = accept_unix(door, unix) => {}
            () = accept_tls(door, tls) => {}
            // The sender that goes without a word stops us as well.
            _ = stopped => {}
        }
    });
    runtime.shutdown_timeout(STOPPING);
}

/// No descriptor is left, most likely: others have to close theirs first.
async fn breathe() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn accept_unix(door: &Door, listener: tokio::net::UnixListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            breathe().await;
            continue;
        };
        let Some(place) = door.connections.join() else {
            // What fits the socket's buffer goes out at once; who does not read it is not waited for.
            let _ = stream.into_std().and_then(|mut stream| stream.write_all(NO_PLACE));
            continue;
        };
        let Ok(peer) = stream.peer_cred() else { continue };
        let fits = place.is_of(door.operators.by_uid(peer.uid(), door.own));
        tokio::spawn(serve(door.router.clone(), place, stream, fits));
    }
}

const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    content-length: 71\r\nconnection: close\r\n\r\n\
    {\"error\": \"unavailable\", \"message\": \"all connections are taken by now\"}";

async fn accept_tls(door: &Door, listener: Option<TlsListener>) {
    let Some((listener, acceptor)) = listener else { return std::future::pending().await };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            breathe().await;
            continue;
        };
        let Some(place) = door.connections.join() else { continue };
        let (door, acceptor) = (door.clone(), acceptor.clone());
        tokio::spawn(async move {
            let shaken = tokio::select! {
                biased;
                () = place.connection.close.notified() => return,
                shaken = tokio::time::timeout(HEAD_TIME, acceptor.accept(stream)) => shaken,
            };
            let Ok(Ok(stream)) = shaken else { return };
            let certificates = stream.get_ref().1.peer_certificates();
            // Without one there is no handshake; should there be, there is no caller.
            let Some(certificate) = certificates.and_then(<[_]>::first) else { return };
            let fits = place.is_of(door.operators.by_certificate(certificate));
            serve(door.router, place, stream, fits).await;
        });
    }
}

/// Serves one connection until its end.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    router: Router,
    place: Place,
    stream: S,
    fits: bool,
) {
    let full = || async { Fault::too_many("you have as many connections as one may", HEAD_TIME) };
    let router = if fits { router } else { Router::new().fallback(full) };
    let router = router.layer(Extension(Arc::clone(&place.connection)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_OCTETS)
        .keep_alive(fits)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::select! {
        biased;
        () = place.connection.close.notified() => {}
        // A connection that broke has nobody to be told.
        _ = connection => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_without_a_place_is_as_long_as_it_says() {
        let text = std::str::from_utf8(NO_PLACE).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }

    #[test]
    fn a_socket_replaces_one_left_behind_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let (listener, _) = bind_unix(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(bind_unix(&path, false), Err(OpenError::InUse(_))));
        drop(listener);
        let _again = bind_unix(&path, true).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(bind_unix(&file, false), Err(OpenError::NotASocket(_))));
        assert_eq!(fs::read(&file).unwrap(), b"mine");
    }
}
