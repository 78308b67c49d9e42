//! `oort local up`: the embedded twin of EventBridge Scheduler and Fargate. Each rendered schedule starts this very
//! program with the command and environment of the task definition that it names.

use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use tokio::process::Command;

use crate::cli::context::Environment;
use crate::cli::task::EnvironmentArgs;
use crate::cli::{Exit, Failure, Global, Outcome};
use crate::local::clock::SystemClock;
use crate::local::twin::TwinSchedule;
use crate::ports::Clock;

/// Run the schedules of every tenant's stack until Ctrl-C.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// Hours of schedule time that pass in an hour: 3600 runs an hourly schedule every second.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    speed: u32,
}

/// Schedule time: starts now and runs at the chosen speed.
struct ScheduleTime {
    start: Timestamp,
    speed: u32,
}

impl ScheduleTime {
    fn now(&self, wall: Timestamp) -> Timestamp {
        let passed = wall.duration_since(self.start);
        self.start
            .saturating_add(passed * i32::try_from(self.speed).unwrap_or(1))
            .unwrap_or(Timestamp::MAX)
    }

    fn until(&self, due: Timestamp, wall: Timestamp) -> Duration {
        let waiting: SignedDuration = due.duration_since(self.now(wall)) / i32::try_from(self.speed).unwrap_or(1);
        waiting.try_into().unwrap_or(Duration::ZERO)
    }
}

struct Planned {
    tenant: String,
    schedule: TwinSchedule,
    due: Timestamp,
}

impl Up {
    pub async fn run(self, global: &Global) -> Outcome {
        let environment = Environment::load(global, &self.environment.environment, None)?;
        let clock = SystemClock;
        let time = ScheduleTime {
            start: clock.now(),
            speed: self.speed,
        };
        let mut planned = Vec::new();
        for tenant in &environment.tenants {
            let twin = environment.deploy(global, &tenant.id)?;
            planned.extend(twin.schedules.into_iter().filter_map(|schedule| {
                let due = schedule.next_after(time.start, time.start)?;
                Some(Planned {
                    tenant: tenant.id.to_string(),
                    schedule,
                    due,
                })
            }));
        }
        tracing::info!(schedules = planned.len(), speed = self.speed, "up; Ctrl-C stops");
        while let Some(next) = planned.iter_mut().min_by_key(|planned| planned.due) {
            tokio::select! {
                () = tokio::time::sleep(time.until(next.due, clock.now())) => {}
                () = stopped() => {
                    tracing::info!("stopped; nothing is running");
                    return Ok(Exit::Done);
                }
            }
            if launch(global, next).await? {
                tracing::info!("stopped; the run in hand came to its end");
                return Ok(Exit::Done);
            }
            // A run that took longer than its period is followed by one run, not by all that it missed.
            let after = time.now(clock.now()).max(next.due);
            next.due = next.schedule.next_after(time.start, after).unwrap_or(Timestamp::MAX);
        }
        Err(Failure::input(format!(
            "no tenant of `{}` has a schedule",
            self.environment.environment
        ))
        .hint("add a tenant file under environments/"))
    }
}

/// Runs one task to its end; `true` when a stop was asked for meanwhile.
async fn launch(global: &Global, planned: &Planned) -> Result<bool, Failure> {
    let program = std::env::current_exe().map_err(Failure::unavailable)?;
    tracing::info!(tenant = planned.tenant, schedule = planned.schedule.name, due = %planned.due, "starting");
    let mut child = Command::new(program)
        .args(&planned.schedule.command)
        .envs(&planned.schedule.environment)
        .env("OORT_ROOT", &global.root)
        .env("OORT_DATA", &global.data)
        .env("OORT_LOG", global.log.as_deref().unwrap_or("info"))
        .stdin(Stdio::null())
        // The terminal's Ctrl-C would reach the task too; as on Fargate, only its launcher may stop it.
        .process_group(0)
        .spawn()
        .map_err(Failure::unavailable)?;
    let mut is_stopping = false;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(Failure::unavailable)?;
                if !status.success() {
                    tracing::warn!(tenant = planned.tenant, schedule = planned.schedule.name, %status, "the task failed");
                }
                return Ok(is_stopping);
            }
            () = stopped(), if !is_stopping => {
                tracing::info!("stopping after the run in hand");
                is_stopping = true;
            }
        }
    }
}

/// Ctrl-C, or the signal that container runtimes and service managers send.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! { _ = interrupted => {}, _ = terminated.recv() => {} }
        }
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}
