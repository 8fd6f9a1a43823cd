-- Traces worth a look: of each service and 10-second slice a few that failed, were slow, or are named by metric points.
create table exemplar (
    end_s   integer not null, -- Unix seconds, as in `slice`
    service text    not null,
    traces  blob    not null, -- encoded; carries its checksum
    primary key (end_s, service)
) strict;
create index exemplar_service on exemplar (service, end_s);
