//! The certificates and keys of one cluster; all keys are ECDSA P-256.

use crate::cluster::secret;
use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::Path;

/// Writes `ca.crt`, `apiserver.crt`, `apiserver.key`, `sa.key` and `sa.pub` into `folder`.
pub(crate) fn write(folder: &Path, gateway: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "stepgate-e2e");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    fs::write(folder.join("ca.crt"), authority.self_signed(&authority_key)?.pem())?;
    let issuer = Issuer::new(authority, authority_key);

    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "127.0.0.1",
        "10.96.0.1",
        gateway,
    ];
    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(names.map(str::to_owned))?;
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    fs::write(folder.join("apiserver.crt"), server.signed_by(&key, &issuer)?.pem())?;
    secret(&folder.join("apiserver.key"), &key.serialize_pem())?;

    let accounts = KeyPair::generate()?;
    secret(&folder.join("sa.key"), &accounts.serialize_pem())?;
    fs::write(folder.join("sa.pub"), accounts.public_key_pem())?;
    Ok(())
}
