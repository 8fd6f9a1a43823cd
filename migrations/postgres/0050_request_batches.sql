-- As in ../sqlite.
alter table journal add column requests bytea not null default ''::bytea;

create index journal_received on journal (received_s);

create table request_batch (
    seq        bigint not null primary key,
    received_s bigint not null,
    requests   bytea  not null
);
create index request_batch_received on request_batch (received_s);

insert into request_batch (seq, received_s, requests)
    select -row_number() over (order by received_s, hash), received_s, hash from request;
delete from request where length(answer) = 0;
