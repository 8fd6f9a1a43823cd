-- The store of one sloburn. Columns ending in `_s` are Unix seconds, in `_ms` Unix milliseconds, both UTC.

-- Requests that were counted, so that the same bytes sent again are answered and not counted twice.
create table request (
    hash       blob    not null primary key, -- 16 bytes of BLAKE3 over the decompressed payload
    received_s integer not null,
    answer     blob    not null              -- as it was sent; empty for a full success
) strict, without rowid;
create index request_received on request (received_s);

-- What each group commit counted, until the next fold. `autoincrement`: a number is never used again.
create table journal (
    seq   integer not null primary key autoincrement,
    delta blob    not null
) strict;

-- Series ever seen.
create table series (
    id  integer not null primary key, -- the first 8 bytes of BLAKE3 of the key, as a signed number
    key blob    not null
) strict;

-- What is remembered of each stream of metric points.
create table stream (
    id    integer not null primary key,
    state blob    not null
) strict;

-- Services ever seen.
create table service (
    name text not null primary key
) strict, without rowid;

-- All series of one service over (end_s - tier, end_s].
create table slice (
    tier     integer not null, -- seconds: 10, 60 or 3600
    end_s    integer not null,
    service  text    not null,
    requests integer not null, -- events counted
    failed   integer not null, -- of them with error status
    pack     blob    not null,
    primary key (tier, end_s, service)
) strict;

-- One hour of an indicator's tallies at one resolution.
create table tally (
    fingerprint integer not null, -- of the indicator
    tier        integer not null, -- seconds: 10, 60 or 3600
    hour_end_s  integer not null,
    chunk       blob    not null,
    primary key (fingerprint, tier, hour_end_s)
) strict;

-- Event counts by class since the store was made.
create table counter (
    name  text    not null primary key,
    value integer not null
) strict, without rowid;

-- Single numbers of the store itself.
create table meta (
    name  text    not null primary key,
    value integer not null
) strict, without rowid;
insert into meta (name, value) values
    ('folded', 0),       -- journal rows up to this seq are in the slices and tallies
    ('sealed_until', 0), -- Unix seconds up to which minutes and hours are complete
    ('incident', 0),     -- last incident number given out
    ('epoch', 0),        -- how often the store was opened
    ('ping', 0);         -- how often readiness was asked for

-- The state of each alert.
create table alert (
    objective text    not null,
    rule      text    not null,
    state     text    not null, -- JSON
    incident  integer not null, -- 0: none yet
    version   integer not null, -- +1 at every transition, for compare-and-set
    primary key (objective, rule)
) strict, without rowid;

-- Every incident: a rule that fired for an objective.
create table incident (
    incident        integer not null primary key,
    objective       text    not null,
    rule            text    not null,
    severity        text    not null,
    fired_s         integer not null,
    resolved_s      integer,          -- null while it fires
    reason          text    not null,
    resolved_reason text,
    late            integer not null  -- 1: late data made it fire, 0: not
) strict;
create index incident_objective on incident (objective, fired_s);
create index incident_fired on incident (fired_s);

-- Pages that are owed or were delivered: one row per notice and receiver, oldest id first.
create table outbox (
    id          integer not null primary key autoincrement,
    receiver    text    not null,
    incident    integer not null,
    objective   text    not null,
    rule        text    not null,
    kind        text    not null, -- fire, resolve
    notice      text    not null, -- JSON
    created_ms  integer not null,
    due_ms      integer not null, -- not before this the next attempt
    attempts    integer not null default 0,
    escalated   text,             -- the fallback receiver it was also given to
    fallback_of text,             -- the receiver it is the fallback for
    done_ms     integer,          -- null while it is owed
    outcome     text,             -- accepted, abandoned
    unique (incident, rule, kind, receiver)
) strict;
create index outbox_owed on outbox (receiver, incident, id) where done_ms is null;
create index outbox_done on outbox (done_ms) where done_ms is not null;

-- Every try to deliver a page; written before the call, completed after it.
create table attempt (
    id         integer not null primary key autoincrement,
    outbox     integer not null references outbox (id) on delete cascade,
    started_ms integer not null,
    ended_ms   integer,          -- null: in flight, or sloburn ended meanwhile
    outcome    text,             -- accepted, retry, refused, interrupted
    status     integer,          -- HTTP status, if there was an answer
    detail     text
) strict;
create index attempt_outbox on attempt (outbox);
