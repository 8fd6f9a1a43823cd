//! One sloburn under chaos: started, ended and started again over the same data, and asked what it counts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;

use crate::api::Slos;
use crate::chaos::load::{BOUND_MS, Target, deliver, way};
use crate::chaos::oracle::{Fate, Oracle};
use crate::chaos::running::BOUND_S;
use crate::chaos::store::{Place, Slices};
use crate::chaos::wire::Wire;
use crate::disk::Disk;
use crate::home::Home;
use crate::inbox::Inbox;
use crate::postgres::Postgres;
use crate::sloburn::{Sloburn, killed};
use crate::{specs, wait};

/// Two ticks on a busy machine: how long an answer may lag behind what is counted.
const LAG: Duration = Duration::from_secs(45);
/// From a signal, or a planned fault, to the end of the process.
const END: Duration = Duration::from_secs(20);

const NEVER: &str = "---
apiVersion: sloburn/v1
kind: BurnPolicy
metadata: { name: never }
spec:
  rules:
    - { name: never-page, severity: page, burnRate: 1, long: 1h, minimumBadEvents: 1000000000 }
";

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By SIGKILL.
    Killed,
    /// By itself, in order.
    Stopped,
}

/// A sloburn with everything that it is driven by.
#[derive(Debug)]
pub struct Lane {
    home: Home,
    /// The database server, where it is one, and the wire to it.
    postgres: Option<(Postgres, Wire)>,
    sloburn: Option<Sloburn>,
    inbox: Inbox,
    offset: PathBuf,
    offset_s: i64,
    /// What was sent.
    pub oracle: Oracle,
}

impl Lane {
    /// An empty store; nothing runs yet.
    pub async fn new(postgres: Option<Postgres>) -> Result<Lane> {
        let mut home = Home::new()?;
        let postgres = match postgres {
            Some(postgres) => {
                let wire = Wire::start(postgres.address()).await?;
                home = home.on_postgres(&wire.url("sloburn"));
                Some((postgres, wire))
            }
            None => None,
        };
        let inbox = Inbox::start().await?;
        inbox.ignore_time();
        home.deliver_to("inbox", &inbox)?;
        let offset = home.path().join("clock-offset");
        home.env("SLOBURN_CLOCK_OFFSET", &offset.display().to_string());
        Ok(Lane {
            home,
            postgres,
            sloburn: None,
            inbox,
            offset,
            offset_s: 0,
            oracle: Oracle::default(),
        })
    }

    /// Gives a service of spans its two objectives: answered, and fast.
    pub fn watch_spans(&self, service: &str) -> Result<()> {
        let spec = specs::availability(service, service, 0.5, "1d")
            + &specs::latency(&format!("{service}-fast"), service, BOUND_MS);
        self.watch(service, &spec)
    }

    /// The same for a service of running totals.
    pub fn watch_totals(&self, service: &str) -> Result<()> {
        let spec = specs::counter(service, service, "requests", "outcome", "error")
            + &specs::histogram(&format!("{service}-fast"), service, "duration", BOUND_S);
        self.watch(service, &spec)
    }

    /// With a policy that never pages: pages are for the guarded services.
    pub fn watch(&self, service: &str, spec: &str) -> Result<()> {
        let policy = "  alertPolicies: [{ alertPolicyRef: never }]\n---\n";
        let spec = spec.replace("---\n", policy);
        self.home.spec(&format!("{service}.yaml"), &spec)
    }

    /// Gives two services objectives that page within two ticks.
    pub fn guard(&self, one: &str, other: &str) -> Result<()> {
        let spec = specs::also_quick(other, other) + &specs::quick(one, one) + NEVER;
        self.home.spec("guarded.yaml", &spec)
    }

    /// The files of the running sloburn.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Where pages go.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The database server of a lane on one.
    pub fn postgres(&self) -> Result<&Postgres> {
        let (postgres, _) = self.postgres.as_ref().context("not on PostgreSQL")?;
        Ok(postgres)
    }

    /// The wire to it.
    pub fn wire(&self) -> Result<&Wire> {
        let (_, wire) = self.postgres.as_ref().context("not on PostgreSQL")?;
        Ok(wire)
    }

    /// Sets how many seconds sloburn's clock is ahead, at once.
    pub fn set_clock(&mut self, offset_s: i64) -> Result<()> {
        self.offset_s = offset_s;
        // Renamed into place: a half-written number would be another step.
        let new = self.offset.with_extension("new");
        std::fs::write(&new, offset_s.to_string())?;
        Ok(std::fs::rename(new, &self.offset)?)
    }

    /// How many seconds sloburn's clock is ahead.
    pub fn clock(&self) -> i64 {
        self.offset_s
    }

    /// Starts sloburn with a plan of faults, empty for none. A plan may end it before it is ready.
    pub async fn start(&mut self, plan: &str) -> Result<()> {
        self.home.env("SLOBURN_FAILPOINT", plan);
        self.sloburn = if plan.is_empty() {
            Some(self.home.start().await?)
        } else {
            self.home.start_or_die().await?
        };
        Ok(())
    }

    /// Where to send to.
    pub fn target(&self) -> Result<Target> {
        let listeners = self.running()?.listeners();
        Ok(Target {
            grpc: listeners.grpc,
            http: listeners.http,
        })
    }

    /// The running process.
    pub fn running(&self) -> Result<&Sloburn> {
        self.sloburn.as_ref().context("no sloburn runs")
    }

    /// Whether it runs still.
    pub fn runs(&mut self) -> Result<bool> {
        match &mut self.sloburn {
            Some(sloburn) => Ok(sloburn.ended()?.is_none()),
            None => Ok(false),
        }
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> Result<()> {
        match self.sloburn.take() {
            Some(sloburn) => sloburn.kill().await,
            None => Ok(()),
        }
    }

    /// SIGTERM, where it still runs; how it ended.
    pub async fn stop(&mut self) -> Result<End> {
        let Some(mut sloburn) = self.sloburn.take() else {
            return Ok(End::Killed);
        };
        if sloburn.ended()?.is_none() {
            sloburn.signal("TERM").await?;
        }
        let ended = wait::until("sloburn ends", END, async || sloburn.ended()).await;
        let ended = ended.with_context(|| sloburn.told())?;
        ensure!(
            killed(ended) || ended.success(),
            "it ended with {ended}; {}",
            sloburn.told()
        );
        Ok(if killed(ended) {
            End::Killed
        } else {
            End::Stopped
        })
    }

    /// What was sent against what the API answers.
    pub async fn check(&self) -> Result<()> {
        self.check_with(None).await
    }

    async fn check_with(&self, slices: Option<&Slices>) -> Result<()> {
        let sloburn = self.running()?;
        let agreed = wait::until("the counts can be true", LAG, async || {
            let slos = Slos::parse(&sloburn.get("/api/v1/slos").await?.1)?;
            self.oracle.check(&slos, slices).map(Some)
        });
        agreed.await.with_context(|| sloburn.told())
    }

    /// Stops, starts again, and compares every stored slice and what the API says with what was sent.
    ///
    /// What the API said before the stop is a tick old: a request of unknown fate may have come after it.
    pub async fn check_slices(&mut self) -> Result<()> {
        self.check().await?;
        ensure!(self.stop().await? == End::Stopped, "it was killed");
        let slices = self.slices().await?;
        self.start("").await?;
        self.check_with(Some(&slices)).await
    }

    /// Sends everything again whose fate is not known, and checks that counted = sent: as it runs, after a
    /// restart, and counted again from the stored slices.
    pub async fn settle(&mut self, rng: &mut StdRng) -> Result<()> {
        let target = self.target()?;
        for request in self.oracle.unknown() {
            for _ in 0..10 {
                request.fate = deliver(way(rng), target, &request.body).await;
                if request.fate != Fate::Unknown {
                    break;
                }
            }
        }
        ensure!(
            self.oracle.sizes().1 == 0,
            "requests cannot be sent again; {}",
            self.running()?.told()
        );
        self.check_slices().await?;
        self.check().await?;
        ensure!(self.stop().await? == End::Stopped, "it was killed");
        self.place().forget_tallies().await?;
        self.start("").await?;
        let recounted = self.check().await;
        recounted.context("counted again from the stored slices")
    }

    /// The end of sloburn's log.
    pub fn told(&self) -> String {
        match &self.sloburn {
            Some(sloburn) => sloburn.told(),
            None => "no sloburn runs".to_owned(),
        }
    }

    async fn slices(&self) -> Result<Slices> {
        self.place().slices().await
    }

    fn place(&self) -> Place<'_> {
        match &self.postgres {
            Some((postgres, _)) => Place::Postgres(postgres),
            None => Place::Directory(self.home.data()),
        }
    }

    /// Moves the data of a stopped sloburn to a small disk, mounted where they were.
    pub fn move_to_disk(&self, mebibytes: u32) -> Result<Disk> {
        let data = self.home.data();
        let aside = data.with_extension("aside");
        std::fs::rename(&data, &aside)?;
        let disk = Disk::mount(&data, mebibytes)?;
        copy(&aside, &data)?;
        Ok(disk)
    }

    /// Copies the data of a stopped sloburn from the small disk, which can go then.
    pub fn move_back(&self) -> Result<()> {
        let data = self.home.data();
        let aside = data.with_extension("aside");
        std::fs::remove_dir_all(&aside)?;
        copy(&data, &aside)
    }

    /// Puts the copied data where the small disk was.
    pub fn uncover(&self) -> Result<()> {
        let data = self.home.data();
        std::fs::remove_dir(&data)?;
        Ok(std::fs::rename(data.with_extension("aside"), &data)?)
    }

    /// Ends everything.
    pub async fn end(mut self) -> Result<()> {
        self.kill().await?;
        match self.postgres.take() {
            Some((postgres, _)) => postgres.stop().await,
            None => Ok(()),
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
