//! One connection to a service: a Unix socket, or TLS 1.3 with our certificate.

use super::ClientError;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(10);

/// Whom to ask.
#[derive(Clone)]
pub(super) enum Target {
    Unix(PathBuf),
    Tls { address: String, name: ServerName<'static>, config: Arc<ClientConfig> },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Unix(path) => path.display().fmt(f),
            Target::Tls { address, .. } => f.write_str(address),
        }
    }
}

impl Target {
    pub(super) fn tls(
        address: &str,
        ca: &Path,
        certificate: &Path,
        key: &Path,
        server_name: &str,
    ) -> Result<Self, ClientError> {
        let mut roots = rustls::RootCertStore::empty();
        for root in certificates(ca)? {
            roots.add(root).map_err(|why| unusable(ca, &why))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|why| unusable(ca, &why))?
            .with_root_certificates(roots)
            .with_client_auth_cert(
                certificates(certificate)?,
                PrivateKeyDer::from_pem_file(key).map_err(|why| unusable(key, &why))?,
            )
            .map_err(|why| unusable(certificate, &why))?;
        let name = ServerName::try_from(server_name.to_owned())
            .map_err(|why| unusable(Path::new(server_name), &why))?;
        Ok(Target::Tls { address: address.to_owned(), name, config: Arc::new(config) })
    }

    /// Sends a request over a connection of its own. The connection goes on with the runtime that this is on.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let unreachable = |why: String| ClientError::Unreachable { place: self.to_string(), why };
        let connected = tokio::time::timeout(CONNECTING, self.connect()).await;
        let stream = connected
            .map_err(|_| unreachable(format!("no connection within {CONNECTING:?}")))?
            .map_err(|why| unreachable(why.to_string()))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|why| unreachable(why.to_string()))?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|why| broken(&why))
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Target::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Target::Tls { address, name, config } => {
                let stream = TcpStream::connect(address).await?;
                let connector = TlsConnector::from(Arc::clone(config));
                Box::new(connector.connect(name.clone(), stream).await?)
            }
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The error with its causes: hyper's own words say little.
pub(super) fn broken(error: &hyper::Error) -> ClientError {
    ClientError::Broken(s_control::chain(error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let found: Vec<_> = read().map_err(|why| unusable(path, &why))?;
    if found.is_empty() { Err(unusable(path, &"no certificate in it")) } else { Ok(found) }
}

fn unusable(what: &Path, why: &dyn fmt::Display) -> ClientError {
    ClientError::Unusable { what: what.display().to_string(), why: why.to_string() }
}
