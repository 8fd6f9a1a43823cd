-- Checksums of single numbers and of incidents. Pages have had the column since 0040.
alter table meta add column crc integer;     -- none for `epoch` and `ping`, of which nothing depends
alter table incident add column crc integer;
