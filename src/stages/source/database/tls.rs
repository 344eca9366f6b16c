//! How the connection to a PostgreSQL server is protected, in libpq's words.

use crate::path;
use crate::stage::{RunCx, StageError};
use ::postgres::config::SslMode as Client;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// PostgreSQL's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS where the server has it, without looking at its certificate.
    Prefer,
    /// TLS, without looking at the server's certificate: whoever reads along reads nothing, but somebody else may pose as the server.
    Require,
    /// TLS, with a certificate for the host in `url` that a trusted authority signed.
    VerifyFull,
}

/// What a connection is made with.
pub(super) struct Protection {
    pub(super) mode: Client,
    pub(super) connector: MakeRustlsConnect,
}

impl Protection {
    /// As a stage asks for it; `root` is the file of the authorities that it trusts.
    ///
    /// # Errors
    /// When that file cannot be used, or the system names no authorities.
    pub(super) fn new(mode: SslMode, root: Option<&Path>) -> Result<Self, StageError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| StageError::bug(format!("TLS cannot be set up: {error}")))?;
        let config = match (mode, root) {
            (SslMode::VerifyFull, Some(root)) => builder.with_root_certificates(authorities(root)?),
            (SslMode::VerifyFull, None) => builder.with_platform_verifier().map_err(|error| no_authorities(&error))?,
            _ => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        };
        let mode = match mode {
            SslMode::Disable => Client::Disable,
            SslMode::Prefer => Client::Prefer,
            SslMode::Require | SslMode::VerifyFull => Client::Require,
        };
        Ok(Self { mode, connector: MakeRustlsConnect::new(config.with_no_client_auth()) })
    }

    /// As the fields of a stage say.
    pub(super) fn of(spec: &super::Spec, cx: &RunCx<'_>) -> Result<Self, StageError> {
        let root = spec.ssl_root_cert.as_ref().map(|path| cx.base.join(&path.0));
        Self::new(spec.ssl_mode(), root.as_deref())
    }
}

fn no_authorities(error: &Error) -> StageError {
    StageError::data(format!("the system's certificate authorities cannot be used: {error}"))
        .hint("name the file of the authority that signed the server's certificate: `ssl_root_cert = \"ca.pem\"`")
        .at(path!["ssl_mode"])
}

/// The authorities in a PEM file.
fn authorities(path: &Path) -> Result<RootCertStore, StageError> {
    let wrong = |why: String| {
        StageError::data(format!("`{}` holds no certificate authority: {why}", path.display()))
            .hint("it is a PEM file with one or more `BEGIN CERTIFICATE` blocks")
            .at(path!["ssl_root_cert"])
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let mut store = RootCertStore::empty();
    for certificate in found {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        store.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if store.is_empty() { Err(wrong("there is no certificate in it".to_owned())) } else { Ok(store) }
}

/// Takes any certificate, but not one whose key the server does not have.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Protection::new(SslMode::VerifyFull, Some(&path)).err().expect("refused").message
        };
        assert!(told("").contains("ca.pem` holds no certificate authority: there is no certificate in it"));
        assert!(
            told("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").contains("holds no certificate")
        );
        assert!(Protection::new(SslMode::Require, None).is_ok());
    }
}
