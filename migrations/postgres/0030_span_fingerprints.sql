-- Fingerprints of counted spans, as in ../sqlite.

create table span_commit (
    part   bigint not null,
    seq    bigint not null,
    prints bytea  not null,
    crc    bigint not null,
    primary key (part, seq)
);
alter table span_commit alter column prints set storage external; -- fingerprints do not compress

create table span_sorted (
    part   bigint not null,
    run    bigint not null,
    first  bigint not null,
    prints bytea  not null,
    crc    bigint not null,
    primary key (part, run, first)
);
alter table span_sorted alter column prints set storage external;

insert into meta (name, value) values
    ('span_key_low', ('x' || substr(md5(gen_random_uuid()::text), 1, 16))::bit(64)::bigint),
    ('span_key_high', ('x' || substr(md5(gen_random_uuid()::text), 1, 16))::bit(64)::bigint),
    ('spans_since', 0),
    ('spans_forgotten', 0);
