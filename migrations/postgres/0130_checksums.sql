-- As in ../sqlite.
alter table meta add column crc bigint;
alter table incident add column crc bigint;
