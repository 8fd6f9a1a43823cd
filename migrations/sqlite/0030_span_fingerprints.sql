-- Fingerprints of counted spans, so that none counts twice in whatever requests it comes. Only used with
-- `dedup = "span"`. A part is ten minutes of the spans' own end times: Unix seconds / 600.

-- As committed: 8 bytes each, little-endian, in the order of the spans.
create table span_commit (
    part   integer not null,
    seq    integer not null, -- the journal row of the same commit
    prints blob    not null,
    crc    integer not null, -- CRC32C of the other columns
    primary key (part, seq)
) strict;

-- Of parts that are no longer in memory: sorted, in chunks.
create table span_sorted (
    part   integer not null,
    run    integer not null, -- each run of a part is sorted by itself
    first  integer not null, -- the first fingerprint of the chunk, its highest bit inverted
    prints blob    not null, -- 8 bytes each, little-endian, rising
    crc    integer not null,
    primary key (part, run, first)
) strict;

insert into meta (name, value) values
    ('span_key_low', random()),  -- the secret of the fingerprints; never changes
    ('span_key_high', random()),
    ('spans_since', 0),          -- Unix seconds since when every counted span has a fingerprint; 0: they have none
    ('spans_forgotten', 0);      -- the fingerprints of parts before this one are gone
