-- The alerts: hours in which an edge carried more than was expected of it.
select
    s.window_start,
    s.source,
    s.destination,
    s.alert_value as value,
    s.alert_expected as expected,
    s.alert_ratio as ratio,
    s.alert_hours_since_first_seen as hours_since_first_seen,
    s.alert_hours_since_last_alert as hours_since_last_alert,
    s.alert_previous_maximum as previous_maximum,
    s.alert_previous_maximum_at as previous_maximum_at
from exploitation.edge_state as s
where s.alert_value is not null
