-- Checksums of rows, and where damaged rows are kept, as in ../sqlite.

alter table journal add column crc bigint;
alter table series add column crc bigint;
alter table stream add column crc bigint;
alter table slice add column crc bigint;
alter table tally add column crc bigint;
alter table counter add column crc bigint;
alter table alert add column crc bigint;
alter table outbox add column crc bigint;

alter table journal add column received_s bigint;

create table quarantine (
    id        bigint generated always as identity primary key,
    place     text collate "C"   not null,
    row_key   text collate "C"   not null,
    bytes     bytea  not null,
    why       text   not null,
    found_s   bigint not null,
    service   text collate "C",
    from_s    bigint not null,
    to_s      bigint not null
);
