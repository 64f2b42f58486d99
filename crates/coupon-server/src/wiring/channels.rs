//! The ways to tell people and systems what happens.

use super::kafka_options;
use crate::config::Settings;
use coupon_app::{Channel, CodeKey, ContactStore, Contacts, WebhookStore};
use events_kafka::KafkaChannel;
use notify::{MailChannel, WebhookChannel};
use std::sync::Arc;

/// Every channel that is configured.
pub(crate) struct Channels {
    /// Webhooks, always: without endpoints they tell nobody.
    pub(crate) webhooks: Arc<WebhookChannel>,
    /// Mail, if there is a mail server.
    pub(crate) mail: Option<Arc<MailChannel>>,
    /// A topic, if there is Kafka and a topic for it.
    pub(crate) kafka: Option<Arc<KafkaChannel>>,
}

impl Channels {
    /// Makes them ready. Nobody is connected to before there is something to tell.
    pub(crate) fn open(
        settings: &Settings,
        webhooks: Arc<dyn WebhookStore>,
        contacts: Arc<dyn ContactStore>,
        codes: &CodeKey,
    ) -> anyhow::Result<Self> {
        let webhooks = WebhookChannel::new(webhooks, codes.clone(), settings.webhooks.options()?)?;
        let mail = &settings.mail;
        let mail = if mail.is_set() {
            let contacts: Arc<dyn Contacts> = match mail.lookup()? {
                Some(lookup) => Arc::new(lookup),
                None => contacts,
            };
            let channel = MailChannel::new(contacts, codes.clone(), mail.templates()?, mail.options()?)?;
            Some(Arc::new(channel))
        } else {
            None
        };
        let patience = settings.kafka.patience()?;
        let kafka = kafka_options(&settings.kafka)?
            .filter(|_options| settings.kafka.tells())
            .map(|options| Arc::new(KafkaChannel::new(options, patience)));
        let channels = Self {
            webhooks: Arc::new(webhooks),
            mail,
            kafka,
        };
        let names: Vec<&str> = channels.all().iter().map(|channel| channel.name()).collect();
        tracing::info!(channels = names.join(", "), "notifications can be sent");
        Ok(channels)
    }

    /// All of them, as the job that delivers takes them.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Channel>> {
        let webhooks: Arc<dyn Channel> = Arc::clone(&self.webhooks) as _;
        let mail = self.mail.iter().map(|mail| Arc::clone(mail) as Arc<dyn Channel>);
        let kafka = self
            .kafka
            .iter()
            .map(|kafka| Arc::clone(kafka) as Arc<dyn Channel>);
        std::iter::once(webhooks).chain(mail).chain(kafka).collect()
    }
}
