-- Every user × every candidate: how likely the user buys, by the user's own model. This is the table
-- `offer_score`, which the pipeline computes by a kernel, for a database without Python.
-- The probability is 1 / (1 + exp(-score)), written so that no database overflows; it is the expression
-- that `PerGroup.to_sql(every_group=True)` gives. Equal ones rank the cheaper way first: fewer sendings, and
-- of as many the longer pause.
with scored as (
    select
        m.userid,
        c.asktimes,
        c.askbackoffdays,
        m.status,
        m.intercept + m.coef_asktimes * c.asktimes + m.coef_askbackoffdays * c.askbackoffdays as score
    from exploitation.offer_model as m
    cross join formatted.candidate_offer as c
),
likely as (
    select
        s.userid,
        s.asktimes,
        s.askbackoffdays,
        s.status,
        case
            when s.score between -700.0 and 700.0 then 1.0 / (1.0 + exp(-s.score))
            when s.score > 700.0 and s.score <= 1.7976931348623157e308 then 1.0
            when s.score < -700.0 and s.score >= -1.7976931348623157e308 then 0.0
        end as probability
    from scored as s
)
select
    l.userid,
    l.asktimes,
    l.askbackoffdays,
    l.status,
    l.probability,
    cast(
        row_number() over (
            partition by l.userid
            order by l.probability desc, l.asktimes, l.askbackoffdays desc
        ) as bigint
    ) as rank
from likely as l
