-- Checksums of rows, and where damaged rows are kept.

-- CRC32C of the row's other columns; null in rows that were written before there were checksums.
alter table journal add column crc integer;
alter table series add column crc integer;
alter table stream add column crc integer;
alter table slice add column crc integer;
alter table tally add column crc integer;
alter table counter add column crc integer;
alter table alert add column crc integer;
alter table outbox add column crc integer;

-- When the requests of a journal row came: a damaged row's neighbours say when it was written.
alter table journal add column received_s integer;

-- Rows that were damaged, taken out of their tables, with the time that is incomplete without them.
create table quarantine (
    id        integer not null primary key autoincrement,
    place     text   not null, -- the table it was in
    row_key   text   not null, -- its key as found
    bytes     blob  not null, -- its value as found
    why       text   not null,
    found_s   integer not null,
    service   text,            -- whose data is incomplete; null: any
    from_s    integer not null, -- incomplete in (from_s, to_s]; equal: nothing is
    to_s      integer not null
) strict;
