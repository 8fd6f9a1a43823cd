-- Request hashes go into the journal with the delta they belong to, and at the fold into batches: one row for each
-- commit and not one for each request. What is left in `request` is the answers that were no full success.
alter table journal add column requests blob not null default x''; -- hashes, sealed; empty: none

create index journal_received on journal (received_s);

create table request_batch (
    seq        integer not null primary key, -- of the journal row it came with; below 0 for those from before this table
    received_s integer not null,
    requests   blob    not null -- as in `journal`, or a bare hash of 16 bytes
) strict;
create index request_batch_received on request_batch (received_s);

insert into request_batch (seq, received_s, requests)
    select -row_number() over (order by received_s, hash), received_s, hash from request;
delete from request where length(answer) = 0;
