//! A certificate with its key: read from PEM, checked, with its names and its time.

use std::sync::Arc;

use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::CertifiedKey,
};
use yasna::Tag;

use crate::clock::UnixMillis;

/// A certificate chain that can be shown.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The chain, and the key that signs with it.
    pub key: Arc<CertifiedKey>,
    /// When it is valid.
    pub validity: Validity,
}

/// From when to when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From then on.
    pub from: UnixMillis,
    /// Until then.
    pub until: UnixMillis,
}

impl Validity {
    /// When two thirds of its time are over.
    pub fn two_thirds(self) -> UnixMillis {
        let life = self.until.since(self.from);
        self.from.plus(life / 3 * 2)
    }

    /// When it ends, as `2026-03-04T12:00:00Z`.
    pub fn until_in_words(self) -> String {
        jiff::Timestamp::from_millisecond(self.until.0)
            .map_or_else(|_| "?".into(), |until| until.to_string())
    }
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and the private key to it.
    ///
    /// # Errors
    /// What is wrong, in words, to go behind the name of a file.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|err| format!("the certificate cannot be read: {err}"))?;
        let Some(own) = chain.first() else {
            return Err(
                "there is no certificate in it (it begins with -----BEGIN CERTIFICATE-----)".into(),
            );
        };
        let validity = validity(own).ok_or("the certificate has a form that is not understood")?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|err| format!("there is no private key in the key's file: {err}"))?;
        let key =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(
                |err| match err {
                    rustls::Error::InconsistentKeys(_) => {
                        "the key does not belong to the certificate".to_string()
                    }
                    other => format!("certificate and key cannot be used: {other}"),
                },
            )?;
        Ok(Self {
            key: Arc::new(key),
            validity,
        })
    }

    /// Says in the log what is in use from now on, and warns of one whose time is over.
    pub fn tell(&self, now: UnixMillis) {
        let (names, until) = (self.names().join(", "), self.validity.until_in_words());
        match self.validity.until > now {
            true => tracing::info!(names, until, "this certificate is in use"),
            false => tracing::error!(
                names,
                until,
                "this certificate is in use although its time is over: browsers will warn people"
            ),
        }
    }

    /// The host names it is for, `*.` ones included, in its own order.
    pub fn names(&self) -> Vec<String> {
        let own = self.key.cert.first().map(webpki::EndEntityCert::try_from);
        let Some(Ok(own)) = own else {
            return Vec::new();
        };
        own.valid_dns_names().map(str::to_owned).collect()
    }

    /// Whether it is for this host.
    pub fn is_for(&self, host: &str) -> bool {
        let (Some(own), Ok(name)) = (self.key.cert.first(), ServerName::try_from(host)) else {
            return false;
        };
        let own = webpki::EndEntityCert::try_from(own);
        own.is_ok_and(|own| own.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version, serial, signature, issuer, validity, … } … }`
/// (RFC 5280 section 4.1).
fn validity(certificate: &[u8]) -> Option<Validity> {
    let parsed = yasna::parse_der(certificate, |reader| {
        reader.read_sequence(|reader| {
            let validity = reader.next().read_sequence(|reader| {
                reader.read_optional(|reader| {
                    reader.read_tagged(Tag::context(0), |it| it.read_der())
                })?;
                for _serial_signature_issuer in 0..3 {
                    reader.next().read_der()?;
                }
                let validity = reader.next().read_sequence(|reader| {
                    let from = moment(reader.next())?;
                    Ok(Validity {
                        from,
                        until: moment(reader.next())?,
                    })
                })?;
                while reader.read_optional(|rest| rest.read_der())?.is_some() {}
                Ok(validity)
            })?;
            for _algorithm_signature in 0..2 {
                reader.next().read_der()?;
            }
            Ok(validity)
        })
    });
    parsed.ok()
}

/// `Time ::= CHOICE { UTCTime, GeneralizedTime }`.
fn moment(reader: yasna::BERReader<'_, '_>) -> yasna::ASN1Result<UnixMillis> {
    let seconds = match reader.lookahead_tag()? {
        yasna::tags::TAG_UTCTIME => reader.read_utctime()?.datetime().unix_timestamp(),
        _ => reader.read_generalized_time()?.datetime().unix_timestamp(),
    };
    Ok(UnixMillis(seconds.saturating_mul(1000)))
}
