//! SQS: the AWS adapter on the emulator.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use oort_streams::aws::Session;
use oort_streams::ports::{DeadLetters, Queue};
use serde_json::json;

use super::{LIMIT, Rig, TIMEOUT, keeps_its_promises};
use crate::emulator::{Emulator, fresh_account};

/// The AWS adapter on an emulator whose time is moved on by hand.
struct SqsRig {
    emulator: Arc<Emulator>,
    account: String,
    queue: Arc<dyn Queue>,
    dead: Arc<dyn DeadLetters>,
}

impl SqsRig {
    async fn fresh(emulator: &Arc<Emulator>) -> Self {
        let account = fresh_account();
        emulator.make_queue(&account, "dead", &json!({}));
        let target = format!("arn:aws:sqs:us-east-2:{account}:dead");
        let redrive = json!({"deadLetterTargetArn": target, "maxReceiveCount": LIMIT}).to_string();
        let attributes = json!({"VisibilityTimeout": TIMEOUT.as_secs().to_string(), "RedrivePolicy": redrive});
        let url = emulator.make_queue(&account, "events", &attributes);
        let session = Session::of(emulator.config(&account).await);
        Self {
            emulator: Arc::clone(emulator),
            account,
            queue: session.queue(&url),
            dead: session.dead_letters(&url),
        }
    }
}

#[async_trait]
impl Rig for SqsRig {
    fn queue(&self) -> &dyn Queue {
        &*self.queue
    }

    async fn send(&self, bodies: &[&str]) {
        for body in bodies {
            self.emulator.send(&self.account, "events", body);
        }
    }

    async fn pass(&self, time: Duration) {
        self.emulator.pass(time);
    }

    fn almost(&self) -> Duration {
        TIMEOUT / 3
    }

    fn dead(&self) -> &dyn DeadLetters {
        &*self.dead
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_keeps_the_promises_of_the_port() {
    let emulator = Arc::new(Emulator::start());
    keeps_its_promises(async || SqsRig::fresh(&emulator).await).await;
}
