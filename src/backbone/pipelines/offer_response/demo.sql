-- Do models of users tell more than each user's rate of buying? On offers they were not fitted on
select
    approach,
    n_rows as offers,
    round(accuracy, 3) as accuracy,
    round(log_loss, 3) as log_loss,
    round(auc, 3) as auc
from exploitation.offer_model_quality_overall
order by log_loss;

-- What became of the users' models
select status, count(*) as users, sum(n_rows) as offers, sum(n_positive) as bought
from exploitation.offer_model
group by status
order by users desc;

-- The models of the users with most offers: what each asking, and each day between, adds to the logit of buying
select
    m.userid,
    m.n_rows as offers,
    round(m.coef_asktimes, 2) as per_asking,
    round(m.coef_askbackoffdays, 2) as per_day_between,
    b.asktimes as best_asktimes,
    b.askbackoffdays as best_askbackoffdays,
    round(b.probability, 2) as probability
from exploitation.offer_model as m
join exploitation.best_offer as b on b.userid = m.userid
order by offers desc, m.userid
limit 5;

-- How users are best asked next
select asktimes, askbackoffdays, status, count(*) as users, round(avg(probability), 2) as probability
from exploitation.best_offer
group by asktimes, askbackoffdays, status
order by users desc, asktimes;
