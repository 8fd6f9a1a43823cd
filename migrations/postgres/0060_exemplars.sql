-- As in ../sqlite.
create table exemplar (
    end_s   bigint not null,
    service text collate "C" not null,
    traces  bytea  not null,
    primary key (end_s, service)
);
create index exemplar_service on exemplar (service, end_s);
