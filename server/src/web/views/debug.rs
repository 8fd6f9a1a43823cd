//! `/debug/{service}`

use dashboards::Text;
use dashboards::view::{Counts, DebugView, Ingest, Range, Sender, ServiceLatency, Signal, Status};

use super::objective::{objective, status, urgent};
use super::slo::allowed;
use super::{Source, shell};
use crate::senders::Standing;
use crate::store::StoreError;
use crate::web::allowed::Allowed;
use crate::web::ask::Ask;
use crate::web::slices::{Stored, Trouble, Values, a_day_before, read};

/// Services shown beside this one.
const NEIGHBOURS: usize = 8;
/// Beyond so many seconds only this service's slices are read.
const NEIGHBOURS_S: i64 = 6 * 3_600;

/// The view; `None` when this service has never sent anything and no objective is about it.
pub(in crate::web) async fn debug(
    source: &Source<'_>,
    ask: &Ask,
    service: &str,
) -> Result<Option<DebugView>, StoreError> {
    let services = source.state.store.services().await?;
    let about = |one: &&crate::snapshot::ObjectiveSnapshot| one.objective.service == service;
    if !services.iter().any(|known| known == service)
        && !source.snapshot.objectives.iter().any(|one| about(&one))
    {
        return Ok(None);
    }
    let range = ask.span.resolve(source.snapshot.at);
    let neighbours = neighbours(source, &services, service, range);
    let allowed = allowed(source);
    let found = gather(source, service, &neighbours, range, &allowed).await;
    let mut urgent = urgent(&source.snapshot.objectives);
    urgent.retain(about);
    let objectives =
        source.with_live(|live| urgent.iter().map(|one| objective(live, one)).collect());
    let empty = crate::web::grid::Grid::of(range);
    // Beside the counts: without them the page is as good.
    let traces = crate::web::traces::read(&source.state.store, service, range);
    let traces = traces.await.inspect_err(|error| {
        Trouble::store(error);
    });
    let (stored, endpoints, trouble) = match found {
        Ok((stored, endpoints)) => (stored, endpoints, None),
        Err(Trouble(text)) => (Stored::new(empty), Vec::new(), Some(text)),
    };
    let own = |name: &str| allowed.iter().find(|allowed| allowed.is_of(name));
    Ok(Some(DebugView {
        shell: shell(source, ask, range.live, &services),
        service: service.to_owned(),
        range,
        trouble,
        focus: ask.focus.clone(),
        requests: stored.requests(service),
        latency: stored.latency(service, Values::Requests, own(service)),
        endpoints,
        objectives,
        traces: traces.ok(),
        ingest: ingest(source, service),
        neighbours: neighbours
            .iter()
            .filter_map(|name| {
                Some(ServiceLatency {
                    service: name.clone(),
                    status: worst(source, name),
                    latency: stored.latency(name, Values::Requests, own(name))?,
                    p99_us: stored.p99_us(name),
                })
            })
            .collect(),
        services,
    }))
}

/// Where everything went, and the clocks of one service's senders.
fn ingest(source: &Source<'_>, service: &str) -> Ingest {
    let counts = |class: collector::Class| Counts {
        total: class.total,
        bad: class.bad,
    };
    let named = |(name, class)| (name, counts(class));
    let signals = source.snapshot.classes.named();
    let own = |one: &&Standing| one.service == service;
    let senders = &source.snapshot.senders;
    Ingest {
        signals: signals
            .map(|(name, classes)| Signal {
                name,
                received: counts(classes.received),
                classes: classes.divided().map(named).collect(),
                notes: classes.notes().map(named).collect(),
            })
            .into(),
        unweighted: source
            .snapshot
            .unweighted
            .services
            .get(service)
            .and_then(|end| jiff::Timestamp::from_second(*end).ok()),
        senders: senders.senders.iter().filter(own).map(sender).collect(),
        other_senders: senders.rest.as_ref().map(sender),
    }
}

fn sender(standing: &Standing) -> Sender {
    Sender {
        instance: Text::new(&standing.instance),
        skew_ms: standing.skew_nanos.map(|nanos| nanos.div_euclid(1_000_000)),
        spans: standing.spans,
        clamped: standing.clamped,
        future: standing.future,
    }
}

/// Other services: those with the most urgent objectives first, then by name.
fn neighbours(
    source: &Source<'_>,
    services: &[String],
    service: &str,
    range: Range,
) -> Vec<String> {
    if range.to.as_second() - range.from.as_second() > NEIGHBOURS_S {
        return Vec::new();
    }
    let mut others: Vec<_> = services
        .iter()
        .filter(|other| *other != service)
        .cloned()
        .collect();
    others.sort_by_key(|other| worst(source, other).map_or(u8::MAX, |status| status as u8));
    others.truncate(NEIGHBOURS);
    others
}

fn worst(source: &Source<'_>, service: &str) -> Option<Status> {
    let own = source
        .snapshot
        .objectives
        .iter()
        .filter(|one| one.objective.service == service);
    own.map(|one| status(one).0).min()
}

async fn gather(
    source: &Source<'_>,
    service: &str,
    neighbours: &[String],
    range: Range,
    allowed: &[Allowed],
) -> Result<(Stored, Vec<dashboards::view::Endpoint>), Trouble> {
    let store = &source.state.store;
    let known = source.with_live(|live| live.known().clone());
    let wanted: Vec<_> = neighbours
        .iter()
        .cloned()
        .chain([service.to_owned()])
        .collect();
    let stored = read(store, &known, &wanted, range, allowed).await?;
    let mut endpoints = stored.endpoints(Some(service));
    if !endpoints.is_empty() {
        a_day_before(store, &known, &stored, &mut endpoints).await?;
    }
    Ok((stored, endpoints))
}
