//! One order: from a name to a certificate.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::super::tls::PlainHttp;

/// How long the authority may take to ask, and to sign.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// What an order brings, as PEM.
pub struct Issued {
    /// The private key, made for this certificate.
    pub key: String,
    /// The certificate and those between it and the authority.
    pub chain: String,
}

/// Orders a certificate for `host`; the authority's question is answered by `plain` meanwhile.
///
/// # Errors
/// What the authority or the way to it says.
pub async fn issue(account: &Account, host: &str, plain: &PlainHttp) -> Result<Issued, Error> {
    let names = [Identifier::Dns(host.into())];
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    let mut offered = Vec::new();
    let issued = fulfil(&mut order, host, plain, &mut offered).await;
    for token in offered {
        plain.withdraw(&token);
    }
    issued
}

async fn fulfil(
    order: &mut Order,
    host: &str,
    plain: &PlainHttp,
    offered: &mut Vec<String>,
) -> Result<Issued, Error> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // It may still stand from an earlier order.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let challenge = authorization.challenge(ChallengeType::Http01);
        let mut challenge = challenge.ok_or(Error::Str("the authority does not offer HTTP-01"))?;
        plain.offer(&challenge.token, challenge.key_authorization().as_str());
        offered.push(challenge.token.clone());
        challenge.set_ready().await?;
    }
    if order.poll_ready(&PATIENCE).await? != OrderStatus::Ready {
        return Err(why_not(order).await);
    }
    let key = KeyPair::generate().map_err(|err| Error::Other(err.into()))?;
    let mut wanted =
        CertificateParams::new([host.to_owned()]).map_err(|err| Error::Other(err.into()))?;
    wanted.distinguished_name = DistinguishedName::new();
    let request = wanted
        .serialize_request(&key)
        .map_err(|err| Error::Other(err.into()))?;
    order.finalize_csr(request.der()).await?;
    Ok(Issued {
        chain: order.poll_certificate(&PATIENCE).await?,
        key: key.serialize_pem(),
    })
}

/// What the authority found when it asked.
async fn why_not(order: &mut Order) -> Error {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if let Err(error) = authorization.refresh().await {
            return error;
        }
        if let Some(problem) = authorization
            .challenges
            .iter()
            .find_map(|it| it.error.clone())
        {
            return Error::Api(problem);
        }
    }
    Error::Str("the order is no longer valid")
}
