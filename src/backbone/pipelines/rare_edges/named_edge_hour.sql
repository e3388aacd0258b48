-- An example of names of your own: an edge from a program to a service, instead of each process and each address.
-- The program is its base name and the first of its arguments; the service is the last two labels of the host's
-- name, the port and the protocol.
with named as (
    select
        date_trunc('hour', f.started_at) as window_start,
        trim(concat(split_part(f.executable, '/', -1), ' ', split_part(f.arguments, ' ', 1))) as source,
        concat(
            trim(both '.' from concat(split_part(f.host, '.', -2), '.', split_part(f.host, '.', -1))),
            ' ', cast(f.port as text), ' ', f.protocol
        ) as destination
    from (
        select
            started_at,
            executable,
            arguments,
            trim(both '.' from lower(host_name)) as host,
            port,
            protocol
        from formatted.flow
    ) as f
)
select window_start, source, destination, count(*) as connections
from named
group by window_start, source, destination
