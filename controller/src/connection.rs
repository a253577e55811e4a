//! How the cluster is reached: kubectl's own flags.

use anyhow::{Context, bail};
use clap::Args;
use crds::GoDuration;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// kubectl's connection flags.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Path of a kubeconfig.
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, global = true)]
    context: Option<String>,
    /// Cluster of the kubeconfig.
    #[arg(long, global = true)]
    cluster: Option<String>,
    /// User of the kubeconfig.
    #[arg(long, global = true)]
    user: Option<String>,
    /// Namespace; that of the context when unset.
    #[arg(long, short = 'n', global = true)]
    pub namespace: Option<String>,
    /// Address of the API server.
    #[arg(long, short = 's', global = true, value_name = "URL")]
    server: Option<String>,
    /// Bearer token.
    #[arg(long, global = true)]
    token: Option<String>,
    /// Act as this user.
    #[arg(long = "as", global = true, value_name = "USER")]
    as_user: Option<String>,
    /// Act as a member of this group; may be repeated.
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    as_group: Vec<String>,
    /// Act as the user of this UID.
    #[arg(long = "as-uid", global = true, value_name = "UID")]
    as_uid: Option<String>,
    /// File with the certificate that says who we are.
    #[arg(long = "client-certificate", global = true, value_name = "FILE")]
    client_certificate: Option<String>,
    /// File with the key of that certificate.
    #[arg(long = "client-key", global = true, value_name = "FILE")]
    client_key: Option<String>,
    /// Do not check the API server's certificate.
    #[arg(long = "insecure-skip-tls-verify", global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    insecure: bool,
    /// File with the certificates that sign the API server's.
    #[arg(long = "certificate-authority", global = true, value_name = "FILE")]
    certificate_authority: Option<String>,
    /// Name that the API server's certificate is for.
    #[arg(long = "tls-server-name", global = true, value_name = "NAME")]
    tls_server_name: Option<String>,
    /// Longest wait for one answer, such as 30s; 0 waits for ever.
    #[arg(long = "request-timeout", global = true, default_value = "0", value_name = "DURATION")]
    request_timeout: String,
    /// kubectl's; nothing is kept on disk here.
    #[arg(long = "cache-dir", global = true, hide = true)]
    cache_dir: Option<String>,
    /// kubectl's; answers are never compressed here.
    #[arg(long = "disable-compression", global = true, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set)]
    disable_compression: bool,
}

impl Connection {
    /// Where the cluster is and how it is spoken to; `agent` is what the API server's logs know the program by.
    ///
    /// # Errors
    /// When there is no cluster to be found, or a flag makes no sense; the message names it.
    pub async fn config(&self, agent: &'static str) -> anyhow::Result<Config> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
        };
        let chosen = self.context.is_some() || self.cluster.is_some() || self.user.is_some();
        let mut config = match &self.kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
            None if chosen => Config::from_kubeconfig(&options).await?,
            None => match (Config::infer().await, &self.server) {
                (Ok(config), _) => config,
                // An address is enough, as it is for kubectl.
                (Err(_), Some(server)) => Config::new(address(server)?),
                (Err(error), None) => return Err(error.into()),
            },
        };
        self.override_config(&mut config)?;
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
        Ok(config)
    }

    fn override_config(&self, config: &mut Config) -> anyhow::Result<()> {
        if let Some(server) = &self.server {
            config.cluster_url = address(server)?;
        }
        if let Some(token) = &self.token {
            config.auth_info.token = Some(token.clone().into());
        }
        if let Some(user) = &self.as_user {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !self.as_group.is_empty() {
            if self.as_user.is_none() {
                bail!("--as-group needs --as: a group is borrowed together with a user");
            }
            config.auth_info.impersonate_groups = Some(self.as_group.clone());
        }
        if let Some(uid) = &self.as_uid {
            if self.as_user.is_none() {
                bail!("--as-uid needs --as: a UID is borrowed together with a user");
            }
            let value = http::HeaderValue::from_str(uid).with_context(|| format!("--as-uid {uid:?}"))?;
            config.headers.push((http::HeaderName::from_static("impersonate-uid"), value));
        }
        if let Some(path) = &self.client_certificate {
            config.auth_info.client_certificate = Some(path.clone());
            config.auth_info.client_certificate_data = None;
        }
        if let Some(path) = &self.client_key {
            config.auth_info.client_key = Some(path.clone());
            config.auth_info.client_key_data = None;
        }
        config.accept_invalid_certs |= self.insecure;
        if let Some(path) = &self.certificate_authority {
            let text = std::fs::read(path).with_context(|| format!("read --certificate-authority {path}"))?;
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
            let certificates = certificates.with_context(|| format!("{path} is not PEM"))?;
            if certificates.is_empty() {
                bail!("{path} has no certificate");
            }
            config.root_cert = Some(certificates.into_iter().map(|one| one.to_vec()).collect());
        }
        if let Some(name) = &self.tls_server_name {
            config.tls_server_name = Some(name.clone());
        }
        if let Some(limit) = duration("--request-timeout", &self.request_timeout)? {
            config.read_timeout = Some(limit);
        }
        Ok(())
    }
}

fn address(server: &str) -> anyhow::Result<http::Uri> {
    server.parse().with_context(|| format!("--server {server:?} is no address"))
}

/// A duration of a flag, such as `30s`; `None` for 0, which means no limit.
///
/// # Errors
/// When it is no duration, with the flag's name.
pub fn duration(flag: &str, text: &str) -> anyhow::Result<Option<std::time::Duration>> {
    if text == "0" {
        return Ok(None);
    }
    let parsed = GoDuration::parse(text).ok().and_then(GoDuration::to_std);
    let duration =
        parsed.with_context(|| format!("{flag} {text:?} is no duration; write for example 30s or 10m"))?;
    Ok((!duration.is_zero()).then_some(duration))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::time::Duration;

    fn config() -> Config {
        Config::new("https://one.example".parse().unwrap())
    }

    #[test]
    fn flags_change_what_the_kubeconfig_says() {
        let connection = Connection {
            server: Some("https://two.example:6443".to_owned()),
            as_user: Some("jane".to_owned()),
            as_group: vec!["ops".to_owned()],
            as_uid: Some("7".to_owned()),
            client_certificate: Some("me.crt".to_owned()),
            client_key: Some("me.key".to_owned()),
            insecure: true,
            request_timeout: "5s".to_owned(),
            ..Connection::default()
        };
        let mut config = config();
        config.auth_info.client_key_data = Some("of the kubeconfig".to_owned().into());
        connection.override_config(&mut config).unwrap();
        assert_eq!(config.cluster_url.to_string(), "https://two.example:6443/");
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("jane"));
        assert_eq!(config.auth_info.impersonate_groups, Some(vec!["ops".to_owned()]));
        assert_eq!(config.headers[0].0, "impersonate-uid");
        assert_eq!(config.auth_info.client_certificate.as_deref(), Some("me.crt"));
        assert_eq!(config.auth_info.client_key.as_deref(), Some("me.key"));
        assert!(config.auth_info.client_key_data.is_none(), "the file replaces it");
        assert!(config.accept_invalid_certs);
        assert_eq!(config.read_timeout, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_group_alone_and_a_wrong_duration_are_refused() {
        let base = Connection { request_timeout: "0".to_owned(), ..Connection::default() };
        let group = Connection { as_group: vec!["ops".to_owned()], ..base.clone() };
        assert!(
            group.override_config(&mut config()).unwrap_err().to_string().contains("--as-group needs --as")
        );
        let wrong = Connection { request_timeout: "soon".to_owned(), ..base };
        let error = wrong.override_config(&mut config()).unwrap_err().to_string();
        assert!(error.starts_with("--request-timeout \"soon\" is no duration"), "{error}");
    }
}
