-- The store of one sloburn, as in ../sqlite. Text sorts by its bytes in both. Columns ending in `_s` are Unix seconds, in `_ms` Unix milliseconds, both UTC.

create table request (
    hash       bytea  not null primary key,
    received_s bigint not null,
    answer     bytea  not null
);
create index request_received on request (received_s);

create table journal (
    seq   bigint generated always as identity primary key,
    delta bytea  not null
);

create table series (
    id  bigint not null primary key,
    key bytea  not null
);

create table stream (
    id    bigint not null primary key,
    state bytea  not null
);

create table service (
    name text collate "C" not null primary key
);

create table slice (
    tier     bigint not null,
    end_s    bigint not null,
    service  text collate "C" not null,
    requests bigint not null,
    failed   bigint not null,
    pack     bytea  not null,
    primary key (tier, end_s, service)
);

create table tally (
    fingerprint bigint not null,
    tier        bigint not null,
    hour_end_s  bigint not null,
    chunk       bytea  not null,
    primary key (fingerprint, tier, hour_end_s)
);

create table counter (
    name  text collate "C" not null primary key,
    value bigint not null
);

create table meta (
    name  text collate "C" not null primary key,
    value bigint not null
);
insert into meta (name, value) values
    ('folded', 0),
    ('sealed_until', 0),
    ('incident', 0),
    ('epoch', 0),
    ('ping', 0);

create table alert (
    objective text collate "C" not null,
    rule      text collate "C" not null,
    state     text collate "C" not null,
    incident  bigint not null,
    version   bigint not null,
    primary key (objective, rule)
);

create table incident (
    incident        bigint not null primary key,
    objective       text collate "C" not null,
    rule            text collate "C" not null,
    severity        text collate "C" not null,
    fired_s         bigint not null,
    resolved_s      bigint,
    reason          text collate "C" not null,
    resolved_reason text,
    late            bigint not null
);
create index incident_objective on incident (objective, fired_s);
create index incident_fired on incident (fired_s);

create table outbox (
    id          bigint generated always as identity primary key,
    receiver    text collate "C" not null,
    incident    bigint not null,
    objective   text collate "C" not null,
    rule        text collate "C" not null,
    kind        text collate "C" not null,
    notice      text collate "C" not null,
    created_ms  bigint not null,
    due_ms      bigint not null,
    attempts    bigint not null default 0,
    escalated   text,
    fallback_of text,
    done_ms     bigint,
    outcome     text,
    unique (incident, rule, kind, receiver)
);
create index outbox_owed on outbox (receiver, incident, id) where done_ms is null;
create index outbox_done on outbox (done_ms) where done_ms is not null;

create table attempt (
    id         bigint generated always as identity primary key,
    outbox     bigint not null references outbox (id) on delete cascade,
    started_ms bigint not null,
    ended_ms   bigint,
    outcome    text,
    status     bigint,
    detail     text
);
create index attempt_outbox on attempt (outbox);

comment on table request is 'Requests that were counted, so that the same bytes sent again are answered and not counted twice.';
comment on column request.hash is '16 bytes of BLAKE3 over the decompressed payload';
comment on column request.answer is 'as it was sent; empty for a full success';
comment on table journal is 'What each group commit counted, until the next fold. A number is never used again.';
comment on table series is 'Series ever seen.';
comment on column series.id is 'the first 8 bytes of BLAKE3 of the key, as a signed number';
comment on table stream is 'What is remembered of each stream of metric points.';
comment on table service is 'Services ever seen.';
comment on table slice is 'All series of one service over (end_s - tier, end_s].';
comment on column slice.tier is 'seconds: 10, 60 or 3600';
comment on column slice.requests is 'events counted';
comment on column slice.failed is 'of them with error status';
comment on table tally is 'One hour of an indicator''s tallies at one resolution.';
comment on column tally.fingerprint is 'of the indicator';
comment on column tally.tier is 'seconds: 10, 60 or 3600';
comment on table counter is 'Event counts by class since the store was made.';
comment on table meta is 'Single numbers of the store itself.';
comment on table alert is 'The state of each alert.';
comment on column alert.state is 'JSON';
comment on column alert.incident is '0: none yet';
comment on column alert.version is '+1 at every transition, for compare-and-set';
comment on table incident is 'Every incident: a rule that fired for an objective.';
comment on column incident.resolved_s is 'null while it fires';
comment on column incident.late is '1: late data made it fire, 0: not';
comment on table outbox is 'Pages that are owed or were delivered: one row per notice and receiver, oldest id first.';
comment on column outbox.kind is 'fire, resolve';
comment on column outbox.notice is 'JSON';
comment on column outbox.due_ms is 'not before this the next attempt';
comment on column outbox.escalated is 'the fallback receiver it was also given to';
comment on column outbox.fallback_of is 'the receiver it is the fallback for';
comment on column outbox.done_ms is 'null while it is owed';
comment on column outbox.outcome is 'accepted, abandoned';
comment on table attempt is 'Every try to deliver a page; written before the call, completed after it.';
comment on column attempt.ended_ms is 'null: in flight, or sloburn ended meanwhile';
comment on column attempt.outcome is 'accepted, retry, refused, interrupted';
comment on column attempt.status is 'HTTP status, if there was an answer';
